"""What a tenant defines for itself: custom fields, numbering and retention rules, synonyms."""

from __future__ import annotations

import zoneinfo
from functools import partial
from typing import Any

from marshmallow import ValidationError

from chassis import names
from chassis.context import Context
from chassis.database import Work
from chassis.definitions import DEFINED
from chassis.errors import conflict, from_validation, invalid
from chassis.numbering import Pattern
from chassis.records import Store, custom_building
from contracts import fields as f
from contracts.custom import MOST_INDEXED, field_of, safe_pattern, targets_of
from contracts.identity import MOST_SYNONYMS
from contracts.records import STANDARD
from contracts.registry import registry
from services.identity.models import CustomField, NumberingRule, RetentionRule, Synonym

JSON = dict[str, Any]
custom_fields, numbering_rules = Store(CustomField), Store(NumberingRule)
retention_rules, synonyms = Store(RetentionRule), Store(Synonym)
MOST_FIELDS = 200
LONGEST_INDEXED = 400
SHORTEST_SYNONYM, MOST_WORDS = 2, 8
# What may be said of a field besides its words, by its type.
_SAYS: dict[str, tuple[str, ...]] = {
    "text": ("max_length", "pattern"),
    "number": ("min", "max", "places"),
    "money": ("min", "max"),
    "choice": ("choices",),
    "multi_choice": ("choices",),
    "reference": ("target",),
}
_PARTICULAR = sorted({name for names in _SAYS.values() for name in names})


@custom_fields.creates
def there_are_not_too_many(field: CustomField, work: Work) -> None:
    """Two who add the last free place at once meet at this lock."""
    work.sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"custom:{work.tenant}:{field.applies_to}",))
    others = custom_fields.where(work, "applies_to_key = %s", (field.applies_to,))
    if len(others) >= MOST_FIELDS:
        raise conflict("too_many_fields", f"A collection has at most {MOST_FIELDS} custom fields.")
    _few_are_indexed(field, others)


def _few_are_indexed(field: CustomField, others: list[CustomField]) -> None:
    if field.indexed and sum(bool(other.indexed) for other in others) >= MOST_INDEXED:
        raise conflict("too_many_indexed", f"At most {MOST_INDEXED} custom fields of a collection are indexed.")


@custom_fields.computes
def it_makes_sense(field: CustomField, work: Work) -> None:
    record = registry.collections.get(field.applies_to)
    if record is None or record.record_name in DEFINED or not {"create", "update"} & record.operations:
        raise invalid({"applies_to": "There is no such collection with custom fields."})
    for name in _PARTICULAR:
        if getattr(field, name) not in (None, []) and name not in _SAYS.get(field.type, ()):
            raise invalid({name: f"A field of type {field.type} has no {name}."})
    if field.type == "reference" and field.target not in targets_of(record):
        raise invalid({"target": f"Must be one of: {', '.join(sorted(targets_of(record)))}."})
    if field.type in ("choice", "multi_choice"):
        _choices(field)
    if field.pattern and not safe_pattern(field.pattern):
        raise invalid({"pattern": "Must be a row of characters, classes and repeats, at most two of open length."})
    if field.type == "text" and field.indexed and (field.max_length or 0) > LONGEST_INDEXED:
        raise invalid({"max_length": f"An indexed text has at most {LONGEST_INDEXED} characters."})
    if field.min is not None and field.max is not None and field.min > field.max:
        raise invalid({"max": "Must not be below the least."})
    if field.default is not None:
        field.default = _default(field)
    work.committed.append(partial(work.service.definitions.forget, work.tenant))


@custom_fields.computes
def what_is_indexed_later_gets_its_index(field: CustomField, work: Work) -> None:
    """The services that hold its records hear of it by its event; identity holds some itself."""
    if field.was is None or field.was["indexed"] or not field.indexed:
        return
    work.sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"custom:{work.tenant}:{field.applies_to}",))
    others = custom_fields.where(work, "applies_to_key = %s AND id <> %s", (field.applies_to, field.id))
    _few_are_indexed(field, others)
    if registry.collections[field.applies_to].record_name in work.service.stores:
        custom_building.begin(work, field.wire())


def _choices(field: CustomField) -> None:
    values = [choice.value for choice in field.choices or ()]
    if not values or len(set(values)) != len(values):
        raise invalid({"choices": "Must be at least one value, none of them twice."})
    for index, choice in enumerate(field.choices):
        if "," in choice.value:
            raise invalid({f"choices.{index}.value": "Must have no comma."})


def _default(field: CustomField) -> Any:
    if field.type == "reference":
        raise invalid({"default": "A reference has no default."})
    made = field_of(field.wire())
    try:
        return made.to_wire(made.deserialize(field.default))
    except ValidationError as error:
        raise from_validation(ValidationError({"default": error.messages})) from None


@numbering_rules.computes
def its_numbers_differ(rule: NumberingRule, work: Work) -> None:
    """Whatever the sequence begins again with must be in the number, or numbers would come twice."""
    record = registry.collections[rule.applies_to]
    try:
        pattern = Pattern(rule.pattern)
    except ValueError as error:
        raise invalid({"pattern": str(error)}) from None
    missing = pattern.lacks(rule.scope, rule.scope_field is not None)
    if missing:
        raise invalid({"pattern": f"Numbers that begin again need {missing} in the pattern."})
    if rule.scope_field is not None:
        declared = record.declared().get(rule.scope_field)
        if rule.scope_field in STANDARD or not isinstance(declared, (f.Choice, f.Code, f.Currency)):
            raise invalid({"scope_field": "Must be a choice, code or currency of the collection."})
    elif "field" in pattern.tokens:
        raise invalid({"scope_field": "Says which field {field} is."})
    try:
        zoneinfo.ZoneInfo(rule.zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise invalid({"zone": "Must be a time zone such as Asia/Shanghai."}) from None
    work.committed.append(partial(work.service.definitions.forget, work.tenant))


@retention_rules.computes
def it_keeps_what_has_to_be_kept(rule: RetentionRule, work: Work) -> None:
    record = registry.collections.get(rule.applies_to)
    if record is None or "purge" not in record.operations or record.retention is None:
        raise invalid({"applies_to": "There is no such collection whose deleted records are purged."})
    if record.kept_by_law and rule.days < record.retention:
        raise invalid({"days": f"Must be at least {record.retention}: so long the law wants them kept."})
    work.committed.append(partial(work.service.definitions.forget, work.tenant))


@synonyms.creates
def there_are_not_too_many_synonyms(synonym: Synonym, work: Work) -> None:
    """Two who add the last one at once meet at this lock."""
    work.sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"synonyms:{work.tenant}",))
    if len(synonyms.where(work, "true")) >= MOST_SYNONYMS:
        raise conflict("too_many_synonyms", f"There are at most {MOST_SYNONYMS} synonyms.")


@synonyms.computes
def they_are_words_that_differ(synonym: Synonym, work: Work) -> None:
    """Compared as search compares them: `ICBC` and `icbc` are one word to it already."""
    if not synonym.means:
        raise invalid({"means": "Must be one word at least."})
    known: set[str] = set()
    for field, value in (("term", synonym.term), *((f"means.{at}", one) for at, one in enumerate(synonym.means))):
        parts = names.parts(value)
        word = " ".join(parts)
        if len(word) < SHORTEST_SYNONYM:
            raise invalid({field: f"Must have {SHORTEST_SYNONYM} letters or digits at least."})
        if len(parts) > MOST_WORDS:
            raise invalid({field: f"Must be at most {MOST_WORDS} words."})
        if word in known:
            raise invalid({field: "Is the same as another one, as search compares words."})
        known.add(word)


def seed_numbering(work: Work, zone: str) -> None:
    """One rule for each record that has numbers, as it is declared. Rules that are there already stay."""
    known = {rule.applies_to for rule in numbering_rules.where(work, "true")}
    rules = [
        numbering_rules.make(
            applies_to=record.collection,
            pattern=record.number_pattern,
            scope="year" if "{year}" in record.number_pattern else "none",
            zone=zone,
        )
        for record in registry.load().records.values()
        if record.number_pattern and record.collection not in known
    ]
    numbering_rules.add_all(work, rules)


def all_of(runtime: Any, context: Context, params: JSON) -> JSON:
    """Every definition of the tenant, for whoever belongs to it: `{record: [definition, …]}`."""
    with runtime.database.reading(context) as work:
        body = {
            store.name: [entity.wire() for entity in store.where(work, "true")]
            for store in (custom_fields, numbering_rules, retention_rules)
        }
    return {"status": 200, "body": body}
