"""What a tenant's own definition stands for: a custom field's definition as a field like every declared one."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry
from contracts.values import Amount

JSON = dict[str, Any]
MOST_INDEXED = 20
PREFIX = "custom."
SORTABLE = ("text", "number", "money", "date", "instant", "choice", "boolean")

# One character or class with its repeats. Without groups and alternatives, and with few repeats of open length, no
# text makes the matching slow.
_ATOM = r"(?:\[\^?[^\[\]\\]+\]|\\[dw.+*?()\[\]{}|^$-]|[^\[\](){}|*+?\\^$])"
_PATTERN = re.compile(rf"(?:{_ATOM}(?:\{{\d{{1,3}}(?:,\d{{0,3}})?\}}|[*+?])?)+")
_OPEN = re.compile(r"(?<!\\)[*+]|\{\d+,\d*\}")
MOST_OPEN = 2


class Amounts(f.Money):
    """Money between two amounts, whatever the currency."""

    def __init__(self, least: Decimal | None, most: Decimal | None, **options: Any) -> None:
        super().__init__(signed=least is None or least < 0, **options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Amount:
        amount = super()._deserialize(value, attr, data, **kwargs)
        _within(amount.amount, self.least, self.most)
        return amount


class Between(f.Number):
    """A number between two decimals, both allowed."""

    def __init__(self, low: Decimal | None, high: Decimal | None, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        number = super()._deserialize(value, attr, data, **kwargs)
        _within(number, self.low, self.high)
        return number


def field_of(definition: JSON) -> f.Field:
    """The field that a definition (the wire form of `identity.custom-field`) stands for.

    Required and default are not in it: they concern new records only, which the record's store sees to.
    """
    kind, indexed = definition["type"], bool(definition.get("indexed"))
    options: JSON = {
        "label": label_of(definition.get("label")),
        "help": label_of(definition.get("help")),
        "filter": indexed,
        "sort": indexed and kind in SORTABLE,
        "search": 1 if definition.get("searchable") else 0,
    }
    least, most = (_decimal(definition.get(name)) for name in ("min", "max"))
    if kind == "text":
        return f.Text(max=definition.get("max_length") or 200, min=1, pattern=definition.get("pattern"), **options)
    if kind == "number":
        places = definition.get("places")
        return Between(least, most, places=6 if places is None else places, **options)
    if kind == "money":
        return Amounts(least, most, **options)
    if kind in ("choice", "multi_choice"):
        choices = {choice["value"]: label_of(choice["label"]) for choice in definition.get("choices") or ()}
        made: Any = f.Choice if kind == "choice" else f.Choices
        return made(choices, **options)  # type: ignore[no-any-return]
    if kind == "reference":
        return f.Ref(registry.collections[definition["target"]].record_name, on_delete="keep", **options)
    return {"date": f.Date, "instant": f.Instant, "boolean": f.Boolean}[kind](**options)


def label_of(words: JSON | None) -> Any:
    """A tenant's words in both languages, or None."""
    return (words["en"], words.get("zh") or words["en"]) if words else None


def safe_pattern(pattern: str) -> bool:
    """Whether a tenant's pattern can be matched against any text in little time."""
    if not _PATTERN.fullmatch(pattern) or len(_OPEN.findall(pattern)) > MOST_OPEN:
        return False
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError):
        return False
    return True


def targets_of(record: type[Record]) -> frozenset[str]:
    """Collections that a custom reference of this record may lead to: those of its own service and those that the
    service's declared references lead to, of which it keeps copies."""
    own = [other for other in registry.records.values() if other.service == record.service]
    names = {"identity.user", "identity.team", *(other.record_name for other in own)}
    for other in own:
        fields = list(other.declared().values())
        fields += [inner for field in fields if isinstance(field, f.Parts) for inner in field.part.declared().values()]
        names |= {field.target for field in fields if isinstance(field, f.Ref) and field.target}
    return frozenset(registry.records[name].collection for name in names if name in registry.records)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _within(number: Decimal, least: Decimal | None, most: Decimal | None) -> None:
    if least is not None and number < least:
        raise ValidationError(f"Must be at least {least}.")
    if most is not None and number > most:
        raise ValidationError(f"Must be at most {most}.")
