"""Segments: named sets of accounts. Nothing follows from them but what their record says."""

from __future__ import annotations

from chassis.records import Store
from services.marketing.models import Segment

segments = Store(Segment)
