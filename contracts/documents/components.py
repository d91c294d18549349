"""The schemas that no record declares: problems, pages of history, bulk writes, sign-in, search, the feed, metadata."""

from __future__ import annotations

from typing import Any

from contracts import fields as f
from contracts.documents.answers import ref
from contracts.documents.schemas import nullable, page
from contracts.erasing import Purge, Reasoned
from contracts.periods import PATTERN as PERIOD

JSON = dict[str, Any]

TEXT: JSON = {"type": "string"}
MAYBE: JSON = {"type": ["string", "null"]}
INSTANT: JSON = {"type": "string", "format": "date-time"}
MAYBE_INSTANT: JSON = {"type": ["string", "null"], "format": "date-time"}
WHOLE: JSON = {"type": "integer"}
MAP: JSON = {"type": "object"}
UUID: JSON = {"type": "string", "format": "uuid"}


def _thing(required: dict[str, JSON], optional: dict[str, JSON] | None = None, *, closed: bool = False) -> JSON:
    schema: JSON = {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
    return {**schema, "additionalProperties": False} if closed else schema


def _list_of(item: JSON) -> JSON:
    return {"type": "array", "items": item}


ITEM_DATA: JSON = {"type": "object", "description": "As the body of the single write."}
_IF_MATCH: JSON = {"type": "string", "minLength": 1, "maxLength": 255}
_REF: JSON = {"type": "string", "minLength": 1, "maxLength": 255, "description": "Given back with the item's result."}


def _item(operation: str, required: dict[str, JSON], optional: dict[str, JSON]) -> JSON:
    return _thing({"op": {"type": "string", "enum": [operation]}, **required}, {**optional, "ref": _REF}, closed=True)


COMPONENTS: dict[str, JSON] = {
    "Problem": _thing(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "code": TEXT, "detail": TEXT, "correlation_id": TEXT},
        {
            "instance": TEXT,
            "errors": _list_of(_thing({"field": {**TEXT, "description": "Dotted path."}, "message": TEXT})),
        },
    )
    | {"description": "RFC 9457. `code` is stable; a refusal may add members, such as base, mine and theirs of a 412."},
    "History": page(
        _thing(
            {
                "version": WHOLE,
                "type": TEXT,
                "at": INSTANT,
                "actor": TEXT,
                "who": _thing({"kind": TEXT, "id": TEXT, "name": MAYBE}),
                "cause": TEXT,
                "why": _thing({"kind": TEXT, "id": MAYBE, "name": MAYBE, "text": ref("InWords")}),
                "correlation_id": TEXT,
                "changes": _list_of(_thing({"field": TEXT, "from": {}, "to": {}})),
            }
        ),
    ),
    "Saga": _thing(
        {
            "state": TEXT,
            "started_at": INSTANT,
            "deadline_at": MAYBE_INSTANT,
            "steps": _list_of(
                _thing(
                    {"name": TEXT, "state": TEXT, "attempts": WHOLE},
                    {
                        "started_at": MAYBE_INSTANT,
                        "ended_at": MAYBE_INSTANT,
                        "error": MAYBE,
                        "tries": _list_of(
                            _thing(
                                {
                                    "started_at": INSTANT,
                                    "ended_at": MAYBE_INSTANT,
                                    "undo": {"type": "boolean"},
                                    "error": MAYBE,
                                }
                            )
                        ),
                    },
                )
            ),
        }
    ),
    "Reason": _thing({"reason": {"type": "string", "minLength": 1, "maxLength": 500, "pattern": r"\S"}}, closed=True),
    "MaybeReason": _thing(
        {}, {"reason": {"type": "string", "minLength": 1, "maxLength": 500, "pattern": r"\S"}}, closed=True
    ),
    "Work": _thing(
        {"service": TEXT, "tenant": UUID, "state": TEXT},
        {"id": TEXT, "error": MAYBE, "event": {"type": ["object", "null"]}, "steps": _list_of(MAP)},
    ),
    "Replayed": _thing({"replayed": WHOLE}),
    "BulkRequest": _thing(
        {
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": 500,
                "items": {
                    "anyOf": [
                        _item("create", {"data": ITEM_DATA}, {}),
                        _item("update", {"id": UUID, "data": ITEM_DATA}, {"if_match": _IF_MATCH}),
                        _item("delete", {"id": UUID}, {"if_match": _IF_MATCH}),
                        _item("upsert", {"system": _REF, "key": _REF, "data": ITEM_DATA}, {"if_match": _IF_MATCH}),
                    ]
                },
            }
        },
        {"atomic": {"type": "boolean", "default": False, "description": "All or nothing."}},
        closed=True,
    ),
    "BulkResult": _thing(
        {
            "items": _list_of(
                _thing(
                    {"status": WHOLE},
                    {
                        "id": MAYBE,
                        "version": {"type": ["integer", "null"]},
                        "ref": MAYBE,
                        "error": {"type": ["object", "null"]},
                    },
                )
            )
        }
    ),
    "Aggregate": _thing({"items": _list_of(MAP), "more": {"type": "boolean"}}),
    "MergeRequest": _thing(
        {"losers": {"type": "array", "minItems": 1, "maxItems": 20, "items": UUID}},
        {
            "choices": {
                "type": "object",
                "additionalProperties": UUID,
                "description": "Field to the record whose value counts. Else the survivor's, or the first there is.",
            }
        },
        closed=True,
    ),
    "UnmergeRequest": _thing({}, {"merge_id": UUID}, closed=True),
    "PurgeRequest": _thing({}, {"reason": nullable(Purge.declared()["reason"].json_schema())}, closed=True),
    "EraseRequest": _thing({"reason": Reasoned.declared()["reason"].json_schema()}, closed=True),
    "Erasure": _thing(
        {
            "erasure_id": UUID,
            "collection": TEXT,
            "id": UUID,
            "version": WHOLE,
            "state": {**TEXT, "description": "erasing or erased"},
            "reason": TEXT,
            "asked_by": TEXT,
            "asked_at": INSTANT,
            "ended_at": MAYBE_INSTANT,
            "stores": _list_of(
                _thing(
                    {
                        "store": TEXT,
                        "erased": {**MAP, "description": "How many of what."},
                        "kept": {**MAP, "description": "What was kept, and why."},
                    }
                )
            ),
        }
    ),
    "MergeAccepted": _thing({"merge_id": UUID}),
    "Merges": page(
        _thing(
            {
                "merge_id": UUID,
                "state": {**TEXT, "description": "merging, merged, unmerging or unmerged"},
                "losers": _list_of(UUID),
                "moved": {**WHOLE, "description": "References that were led over so far."},
                "merged_by": TEXT,
                "merged_at": INSTANT,
                "unmerged_by": MAYBE,
                "unmerged_at": MAYBE_INSTANT,
            }
        ),
    ),
    "Login": _thing(
        {
            "tenant": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": f.NAME_PATTERN},
            "email": {"type": "string", "minLength": 1, "maxLength": 254, "pattern": f.NAME_PATTERN},
            "password": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": f.NAME_PATTERN},
        },
        closed=True,
    ),
    "Refresh": _thing(
        {"refresh_token": {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": f.NAME_PATTERN}}, closed=True
    ),
    "Tokens": _thing({"access_token": TEXT, "token_type": TEXT, "expires_in": WHOLE, "refresh_token": TEXT}),
    "Me": _thing(
        {
            "tenant": MAP,
            "user": {"type": ["object", "null"]},
            "teams": _list_of({}),
            "roles": _list_of({}),
            "grants": MAP,
            "locale": TEXT,
            "zone": TEXT,
        }
    ),
    "CloudEvent": _thing(
        {
            "id": UUID,
            "source": TEXT,
            "specversion": {"type": "string", "enum": ["1.0"]},
            "type": TEXT,
            "subject": TEXT,
            "time": INSTANT,
            "datacontenttype": {"type": "string", "enum": ["application/json"]},
            "dataschema": TEXT,
            "data": MAP,
            "tenant": TEXT,
            "actor": TEXT,
            "version": WHOLE,
            "position": {**WHOLE, "description": "Its place in the feed of the tenant, without gaps."},
        },
        {"correlationid": TEXT, "causationid": MAYBE, "traceparent": MAYBE},
    ),
    "Feed": _thing({"items": _list_of(ref("CloudEvent")), "next": {**WHOLE, "description": "Goes into `after`."}}),
    "Metadata": _thing({"items": _list_of(ref("CollectionMetadata"))}),
    "CollectionMetadata": _thing(
        {
            "name": TEXT,
            "collection": TEXT,
            "service": TEXT,
            "label": ref("Label"),
            "operations": _list_of(TEXT),
            "title": TEXT,
            "subtitle": _list_of(TEXT),
            "fields": _list_of(ref("FieldMetadata")),
            "commands": _list_of(
                _thing(
                    {
                        "name": TEXT,
                        "label": ref("Label"),
                        "answers": WHOLE,
                        "errors": _list_of(TEXT),
                        "fields": _list_of(ref("FieldMetadata")),
                    }
                )
            ),
            "queries": _list_of(TEXT),
            "access": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "Action to `none`, `own`, `team` or `all`.",
            },
        },
        {"notes": ref("ChildMetadata"), "attachments": ref("ChildMetadata")},
    ),
    "ChildMetadata": _thing(
        {"path": TEXT, "access": {"type": "object", "additionalProperties": TEXT}},
        {
            "name": TEXT,
            "label": ref("Label"),
            "operations": _list_of(TEXT),
            "columns": _list_of(TEXT),
            "fields": _list_of(ref("FieldMetadata")),
            "upload": _thing({"most_bytes": WHOLE, "endings": _list_of(TEXT)}),
        },
    ),
    "FieldMetadata": _thing(
        {
            "name": TEXT,
            "type": TEXT,
            "label": {"anyOf": [ref("Label"), {"type": "null"}]},
            "required": {"type": "boolean"},
            "computed": {"type": "boolean"},
            "once": {"type": "boolean"},
        },
        {"fields": _list_of(ref("FieldMetadata")), "choices": _list_of(_thing({"value": TEXT, "label": ref("Label")}))},
    ),
    "Period": {
        "type": "string",
        "description": "A stretch of days in the tenant's zone: `today`, `this-quarter`, `last-30-days`, "
        "`2026-01-01..2026-03-31`. Weeks begin on Monday.",
        "pattern": PERIOD,
    },
    "Phrase": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": f.NAME_PATTERN},
    "Nothing": {
        "type": "object",
        "additionalProperties": False,
        "description": "There is nothing to say: `{}`, or no body.",
    },
    "Label": _thing({"en": TEXT, "zh": TEXT}),
    "InWords": _thing({"en": TEXT, "zh": TEXT, "text": TEXT}),
    "WorkList": page(MAP),
    "Health": _thing({"status": TEXT}),
    "Readiness": _thing({"status": TEXT, "missing": _list_of(TEXT), "dependencies": MAP}),
}
