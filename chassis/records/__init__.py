"""The record store: validate, permit, list, page, version and keep the history of any declared record."""

from chassis.records.store import Store
from chassis.records.stored import Stored, metadata_of

__all__ = ["Store", "Stored", "metadata_of"]
