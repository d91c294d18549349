"""Taking words by which a person is known out of texts, records and their history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from contracts import fields as f
from contracts.erasing import ERASED

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
_TEXTS = (f.Text, f.Texts, f.Document, f.StringMap, f.Embedded, f.Parts)


class Words:
    """Words to take out, in any case. What begins or ends with a letter or digit of an alphabet stands alone: `Al` is
    not in `also`, while Han characters stand among others."""

    def __init__(self, words: Sequence[str]) -> None:
        self._pattern = re.compile("|".join(_alone(word) for word in words) or r"(?!)", re.IGNORECASE)

    def out_of(self, value: Any) -> Any:
        """The same value of plain JSON without them; keys of objects stay."""
        if isinstance(value, str):
            return self._pattern.sub(ERASED, value)
        if isinstance(value, dict):
            return {name: self.out_of(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.out_of(one) for one in value]
        return value


def _alone(word: str) -> str:
    before = r"(?<![^\W_])" if _alphabetic(word[0]) else ""
    behind = r"(?![^\W_])" if _alphabetic(word[-1]) else ""
    return before + re.escape(word) + behind


def _alphabetic(char: str) -> bool:
    return char.isalnum() and not "\u2e80" <= char <= "\u9fff" and not "\uac00" <= char <= "\ud7af"


def record(work: Work, store: Store[Any], entity: Any, words: Words) -> bool:
    """Take the words out of a locked record: a version and an event, without asking any rule. False: none was there."""
    assert entity.was is not None
    for name, field in store.record.declared().items():
        value = entity.was[name]
        if value is None or not isinstance(field, _TEXTS) or isinstance(field, (f.Code, f.Currency, f.Ref)):
            continue
        cleaned = words.out_of(value)
        if cleaned != value:
            whole = field.from_wire(cleaned) if isinstance(field, (f.Parts, f.Embedded)) else cleaned
            setattr(entity, name, None if isinstance(field, f.Email) and not field.required else whole)
    return store.write_as_is(work, entity, f"{store.name}.updated")


def history(work: Work, record_ids: Sequence[str], words: Words) -> set[str]:
    """Take the words out of the change rows of these records. Returns those that had any."""
    rows = work.sql(
        "SELECT record_id, version, at, snapshot, previous, private FROM changes"
        " WHERE tenant_id = %s AND record_id = ANY(%s::uuid[])",
        (work.tenant, list(record_ids)),
    ).all()
    touched = set()
    for row in rows:
        before = [row.snapshot, row.previous, row.private]
        after = words.out_of(before)
        if after != before:
            touched.add(row.record_id)
            work.later(
                "UPDATE changes SET snapshot = %s, previous = %s, private = %s"
                " WHERE tenant_id = %s AND record_id = %s AND version = %s AND at = %s",
                (*(orjson.dumps(part).decode() for part in after), work.tenant, row.record_id, row.version, row.at),
            )
    return touched
