"""The OpenAPI operations of notes and attachments: once for every collection, which is a parameter of their path."""

from __future__ import annotations

from typing import Any

from contracts.children import DECLARED, MOST_NAME
from contracts.documents import parameters as p
from contracts.documents.answers import READING, WRITING, answer
from contracts.documents.imports import FILE
from contracts.documents.longwork import LongWork
from contracts.documents.schemas import Schemas
from contracts.scalars import NAME_PATTERN

JSON = dict[str, Any]
NAME: JSON = {
    "name": "name",
    "in": "query",
    "description": "The file's name, where the body is the file itself.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_NAME, "pattern": NAME_PATTERN},
}
DESCRIPTION: JSON = {
    "name": "description",
    "in": "query",
    "description": "What the file is, where the body is the file itself.",
    "schema": DECLARED["attachment"].declared()["description"].json_schema(),
}
RANGE: JSON = {
    "name": "Range",
    "in": "header",
    "description": "One range of bytes; any other is ignored.",
    "schema": {"type": "string"},
}


class Children(LongWork):
    """Adds the paths of one kind of child."""

    def __init__(self, kind: str, schemas: Schemas, paths: dict[str, JSON]) -> None:
        self.record, self.schemas, self.paths = DECLARED[kind], schemas, paths
        self.base = f"/v1/{{collection}}/{{id}}/{self.record.collection}"
        self.one, self.label = f"{self.base}/{{child}}", kind.title()
        self._collection: JSON = {
            "name": "collection",
            "in": "path",
            "required": True,
            "description": "Whatever a record is one of.",
            "schema": {"type": "string", "enum": sorted(schemas.registry.collections)},
        }

    def describe(self) -> None:
        self._list()
        if self.record is DECLARED["attachment"]:
            self._upload()
            self._content()
        else:
            self._create()
        self._get()
        self._update()
        self._delete()
        self._restore()
        self._history()
        self._export()

    def _add(
        self, path: str, method: str, name: str, summary: str, answers: JSON, errors: tuple[int, ...], **more: Any
    ) -> None:
        own = [one for one in more.pop("parameters", []) if one not in p.shared("Id")]
        place = [self._collection, *p.shared("Id"), *(p.shared("Child") if path.startswith(self.one) else [])]
        moved: JSON = {
            "308": {
                "description": "Merged: the same of the record that it was merged into is at `Location`.",
                "headers": {"Location": {"$ref": "#/components/headers/Location"}},
            }
        }
        answers = {**answers, **(moved if method == "get" else {})}
        super()._add(path, method, name, summary, answers, (*errors, 404), parameters=[*place, *own], **more)

    def _links(self) -> JSON:
        where = {"collection": "$request.path.collection", "id": "$request.path.id", "child": "$response.body#/id"}
        names = ("get", "update", "delete", "history")
        return {name: {"operationId": f"{self.record.collection}.{name}", "parameters": where} for name in names}

    def _upload(self) -> None:
        properties = {"file": FILE, "description": DESCRIPTION["schema"]}
        form: JSON = {"type": "object", "required": ["file"], "additionalProperties": False, "properties": properties}
        self._add(
            self.base,
            "post",
            "create",
            "Attach a file",
            self._record_answer(201, "The new attachment.", location=True, links=True),
            WRITING,
            description="Refused with 415 `file_type_refused` unless the name's ending is known and the bytes are what"
            " it says, with 409 `quota_exceeded` where the tenant has no room left.",
            parameters=[NAME, DESCRIPTION, *p.shared("IdempotencyKey")],
            requestBody={
                "required": True,
                "content": {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": FILE}},
            },
        )

    def _content(self) -> None:
        headers = {
            "ETag": {"description": "The SHA-256 of the content.", "schema": {"type": "string"}},
            "Content-Disposition": {"description": "`attachment` with the name.", "schema": {"type": "string"}},
        }
        whole, part = (answer(status, "The file, to be saved.", FILE, "*/*") for status in (200, 206))
        whole["200"]["headers"] = part["206"]["headers"] = headers
        found = {**whole, **part, "304": {"description": "The client has it: `If-None-Match`."}}
        self._add(
            f"{self.one}/content", "get", "content", "Download the file", found, (*READING, 416), parameters=[RANGE]
        )
