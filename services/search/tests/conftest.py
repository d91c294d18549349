"""The index of one tenant, empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.search.tests.support import Index


@pytest.fixture
def index(suite_of: Callable[..., Any]) -> Index:
    return Index(suite_of("search"))
