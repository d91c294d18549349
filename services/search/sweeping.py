"""What both sides of the sweep share."""

from __future__ import annotations

from typing import NamedTuple

MOST_SUSPECTS = 5_000
"""Differences that are looked at in one turn; the others come with the next one."""


class Settled(NamedTuple):
    """How many documents had drifted, how many were put right, and of how many nothing is known that would do so."""

    drifted: int = 0
    repaired: int = 0
    unknown: int = 0
