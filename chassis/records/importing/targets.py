"""What a column can be for: every place in a record that a cell may fill, under all the names it goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chassis.text import fold
from contracts import fields as f
from contracts.records import Record

_SYSTEM = re.compile(r"(?i:external|external_ids)[:.]\s*([a-z0-9][a-z0-9_-]{0,39})", re.ASCII)
_CUSTOM = re.compile(r"custom\.([a-z][a-z0-9_]{0,62})", re.ASCII)


@dataclass(frozen=True)
class Target:
    """One place: `name`, `address.city`, `lines.quantity`, `price.currency`, `external:erp`, `custom.size`.

    `field` is the declared field that reads the cell. `part` says that it lies within a list of parts; `role` is
    `value`, `amount`, `currency` (of money), `external` or `custom`; `id` is the record's own id.
    """

    path: str
    top: str
    inner: str | None
    field: f.Field
    part: bool = False
    role: str = "value"

    @property
    def reference(self) -> f.Ref | None:
        return self.field if isinstance(self.field, f.Ref) and not isinstance(self.field, f.Id) else None


_TEXT = f.Text(max=200)


def target_of(record: type[Record], path: str) -> Target | None:
    """The target of a path; None where a record has no such place that may be written."""
    if found := _SYSTEM.fullmatch(path):
        return Target(f"external:{found[1]}", "external_ids", found[1], _TEXT, role="external")
    if found := _CUSTOM.fullmatch(path):
        return Target(path, "custom", found[1], _TEXT, role="custom")
    return _paths(record).get(path)


_known: dict[str, dict[str, Target]] = {}


def _paths(record: type[Record]) -> dict[str, Target]:
    if record.record_name not in _known:
        _known[record.record_name] = {target.path: target for target in _targets(record)}
    return _known[record.record_name]


def _targets(record: type[Record]) -> Iterator[Target]:
    for name, field in record.declared().items():
        if name == "id" or (name == "number" and record.number_pattern):
            yield Target(name, name, None, field)
        if field.computed:
            continue
        yield Target(name, name, None, field)
        yield from _money(name, name, None, field, part=False)
        if isinstance(field, (f.Embedded, f.Parts)):
            part = isinstance(field, f.Parts)
            for inner, below in field.part.declared().items():
                if not below.computed:
                    yield Target(f"{name}.{inner}", name, inner, below, part)
                    yield from _money(f"{name}.{inner}", name, inner, below, part=part)


def _money(path: str, top: str, inner: str | None, field: f.Field, *, part: bool) -> Iterator[Target]:
    if isinstance(field, f.Money):
        yield Target(f"{path}.amount", top, inner, field, part, "amount")
        yield Target(f"{path}.currency", top, inner, f.Currency(), part, "currency")


@dataclass(frozen=True)
class Names:
    """Folded names: of targets, of what only the suite writes, and of places that share a name with the latter."""

    targets: dict[str, Target]
    written: frozenset[str]
    beneath: dict[str, Target]


def names_of(record: type[Record]) -> Names:
    """All names that a column may have. One that could mean two places means none: exact paths come first, then labels
    in both languages, then what stands inside of a structure. `city` is computed from `address.city`: a file that has
    only the one means the other."""
    beneath: dict[str, Target] = {}
    found: dict[str, Target] = {}
    computed = {name for name, field in record.declared().items() if field.computed and name not in _paths(record)}
    labels = {label for name in computed for label in record.declared()[name].label or ()}
    # Exports for machines write money as two columns.
    halves = {f"{name}.{half}" for name in computed for half in ("amount", "currency")}
    reserved = frozenset(map(fold, computed | labels | halves))
    for target in _paths(record).values():
        found[fold(target.path)] = target
    for weaker in (_spoken, _labels, _inside):
        offered: dict[str, list[Target]] = {}
        for target in _paths(record).values():
            for name in weaker(record, target):
                offered.setdefault(fold(name), []).append(target)
        for name, targets in offered.items():
            if name not in found and len({target.path for target in targets}) == 1:
                (beneath if name in reserved else found).setdefault(name, targets[0])
    return Names(found, reserved, beneath)


def _spoken(record: type[Record], target: Target) -> Iterator[str]:
    """`Account`, `account name` for `account_id`; `credit limit` and `price_currency` for names with other marks."""
    plain = target.path.replace("_", " ").replace(".", " ")
    yield plain
    yield target.path.replace(".", "_")
    if target.reference is not None:
        yield target.path.removesuffix("_id")
        yield plain.removesuffix(" id")


def _labels(record: type[Record], target: Target) -> Iterator[str]:
    top = record.declared()[target.top].label or ()
    if target.role in ("amount", "currency"):
        return
    if target.inner is None:
        yield from top
        return
    for label, above in zip(target.field.label or (), top, strict=False):
        yield f"{above} {label}"
        yield f"{above}{label}"


def _inside(record: type[Record], target: Target) -> Iterator[str]:
    if target.inner is not None and target.role == "value":
        yield target.inner
        yield from target.field.label or ()
