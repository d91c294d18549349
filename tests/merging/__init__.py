"""Merging and un-merging across all services."""
