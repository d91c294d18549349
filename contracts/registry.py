"""The one list of everything declared: what routes, documents, tables and permissions are made from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from contracts.records import Ask, Command, Event, Query, Record

T = TypeVar("T")

SERVICES = (
    "identity",
    "customer",
    "inventory",
    "sales",
    "marketing",
    "service",
    "notify",
    "search",
    "eventlog",
)


class Registry:
    """Filled by the declarations themselves while their modules are imported. A name is declared once."""

    def __init__(self) -> None:
        self.records: dict[str, type[Record]] = {}
        self.collections: dict[str, type[Record]] = {}
        self.children: dict[str, type[Record]] = {}
        """Notes and attachments of each service's records, which are no collections."""
        self.commands: dict[str, Command] = {}
        self.events: dict[str, Event] = {}
        self.queries: dict[str, Query] = {}
        self.asks: dict[str, Ask] = {}

    def add_record(self, record: type[Record]) -> None:
        _once(self.records, record.record_name, record)
        _once(self.collections, record.collection, record)

    def add_child(self, record: type[Record]) -> None:
        _once(self.children, record.record_name, record)

    def named(self, name: str) -> type[Record] | None:
        """The record or child of a name, such as stands before the verb of an event's type."""
        return self.records.get(name) or self.children.get(name)

    def add_command(self, command: Command) -> None:
        _once(self.commands, command.name, command)

    def add_event(self, event: Event) -> None:
        _once(self.events, event.name, event)

    def add_query(self, query: Query) -> None:
        _once(self.queries, query.name, query)

    def add_ask(self, ask: Ask) -> None:
        _once(self.asks, ask.name, ask)

    def commands_of(self, record: type[Record]) -> list[Command]:
        return [command for command in self.commands.values() if command.on is record]

    def queries_of(self, record: type[Record]) -> list[Query]:
        return [query for query in self.queries.values() if query.on is record]

    def load(self) -> Registry:
        """Import every module of declarations, so that the lists are complete."""
        for service in SERVICES:
            importlib.import_module(f"contracts.{service}")
        importlib.import_module("contracts.merging").announce(self)
        importlib.import_module("contracts.children").announce(self)
        return self


def _once(into: dict[str, T], name: str, item: T) -> None:
    if name in into:
        raise TypeError(f"{name} is declared twice")
    into[name] = item


registry = Registry()
