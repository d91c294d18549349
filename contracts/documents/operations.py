"""The OpenAPI operations of one collection: what its declaration says can be done with its records."""

from __future__ import annotations

from typing import Any

from contracts.documents import aggregates
from contracts.documents import parameters as p
from contracts.documents.answers import READING, WRITING, answer, json, problems, ref
from contracts.documents.schemas import Schemas, nullable, page
from contracts.records import Command, Query, Record

JSON = dict[str, Any]

BEYOND = (
    "Fields without a parameter here have no index: they filter in the same way within a row budget, and are refused "
    "with 422 `row_budget` beyond it. So do fields of records that this one refers to: `account.name=…`."
)


class Collection:
    """Adds the paths of one record to `paths`: `/v1/{collection}` and everything below it."""

    def __init__(self, record: type[Record], schemas: Schemas, paths: dict[str, JSON]) -> None:
        self.record, self.schemas, self.paths = record, schemas, paths
        self.base = f"/v1/{record.collection}"
        self.one = f"{self.base}/{{id}}"
        self.label = record.record_label[0]

    def describe(self) -> None:
        operations = self.record.operations
        if "list" in operations:
            self._list()
            self._search()
        if "create" in operations:
            self._create()
        if "bulk" in operations:
            self._bulk()
        if "aggregate" in operations:
            self._aggregate()
        if "changes" in operations:
            self._changes()
        if "upsert" in operations:
            self._by_external()
        if "get" in operations:
            self._get()
        if "update" in operations:
            self._update()
        if "delete" in operations:
            self._delete()
        if "restore" in operations:
            self._restore()
        if "purge" in operations:
            self._purge()
        if "erase" in operations:
            self._erasing()
        if "history" in operations:
            self._history()
        if "merge" in operations:
            self._merging()
        for command in self.schemas.registry.commands_of(self.record):
            self._command(command)
        for query in self.schemas.registry.queries_of(self.record):
            self._query(query)
        commands = self.schemas.registry.commands_of(self.record)
        if "merge" in operations or any(command.answers == 202 for command in commands):
            self._saga()

    def _add(
        self, path: str, method: str, name: str, summary: str, answers: JSON, errors: tuple[int, ...], **more: Any
    ) -> None:
        operation: JSON = {
            "operationId": f"{self.record.collection}.{name}",
            "tags": [self.record.collection],
            "summary": summary,
            "responses": {**answers, **problems(*errors)},
        }
        if "parameters" in more and not more["parameters"]:
            del more["parameters"]
        self.paths.setdefault(path, {})[method] = {**operation, **more}

    def _list(self) -> None:
        parameters = [
            *p.shared("Limit", "After", "Count"),
            *(p.shared("Deleted") if "delete" in self.record.operations else []),
            *(p.shared("AsOf") if "history" in self.record.operations else []),
            p.sort(self.record),
            *p.selection(self.record),
            *p.filters(self.record),
        ]
        answers = answer(200, "A page of records.", self.schemas.list_of(self.record))
        if "get" in self.record.operations and self.base.count("/") == 2:
            first = {"id": "$response.body#/items/0/id"}
            answers["200"]["links"] = {"first": {"operationId": f"{self.record.collection}.get", "parameters": first}}
        errors, summary = (*READING, 422), f"List: {self.label}"
        self._add(self.base, "get", "list", summary, answers, errors, parameters=parameters, description=BEYOND)

    def _search(self) -> None:
        body: JSON = {
            "filter": p.filter_tree(self.record, self.schemas),
            "sort": p.sort_schema(self.record),
            "limit": p.SHARED["Limit"]["schema"],
            "after": p.AFTER,
            "count": p.SHARED["Count"]["schema"],
        }
        if "delete" in self.record.operations:
            body["deleted"] = p.SHARED["Deleted"]["schema"]
        if "history" in self.record.operations:
            body["as_of"] = p.SHARED["AsOf"]["schema"]
        body |= {parameter["name"]: parameter["schema"] for parameter in p.selection(self.record)}
        schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {word: nullable(value) for word, value in body.items()},
        }
        answers = answer(200, "A page of records.", self.schemas.list_of(self.record))
        errors = (*READING, 413, 415, 422)
        self._add(
            f"{self.base}/search",
            "post",
            "search",
            f"List by a filter tree: {self.label}",
            answers,
            errors,
            requestBody=json(schema),
        )

    def _create(self) -> None:
        answers = self._record_answer(201, "The new record.", location=True, links=True)
        self._add(
            self.base,
            "post",
            "create",
            f"Create: {self.label}",
            answers,
            WRITING,
            parameters=p.shared("IdempotencyKey"),
            requestBody=json(self.schemas.create(self.record)),
        )

    def _get(self) -> None:
        parameters = [
            *p.shared("Id"),
            *(p.shared("AsOf") if "history" in self.record.operations else []),
            *p.selection(self.record),
        ]
        answers = self._record_answer(200, "The record.")
        if "merge" in self.record.operations:
            answers["308"] = {
                "description": "Merged into the record that `Location` names. Not to be stored: it can be taken back.",
                "headers": {"Location": {"$ref": "#/components/headers/Location"}},
            }
        self._add(self.one, "get", "get", f"Read one: {self.label}", answers, (*READING, 404), parameters=parameters)

    def _update(self) -> None:
        schema = self.schemas.patch(self.record)
        body = json(schema, "application/merge-patch+json", "application/json")
        answers = self._record_answer(200, "The record after the change.")
        errors = (*WRITING, 404, 412)
        parameters = p.shared("Id", "IfMatch", "IdempotencyKey")
        self._add(
            self.one,
            "patch",
            "update",
            f"Change: {self.label}",
            answers,
            errors,
            parameters=parameters,
            requestBody=body,
        )

    def _delete(self) -> None:
        errors = (*READING, 404, 409, 412, 422, 428)
        parameters = p.shared("Id", "IfMatch", "IdempotencyKey")
        answers: JSON = {"204": {"description": "Deleted; `restore` brings it back."}}
        self._add(self.one, "delete", "delete", f"Delete: {self.label}", answers, errors, parameters=parameters)

    def _restore(self) -> None:
        self._add(
            f"{self.one}/restore",
            "post",
            "restore",
            f"Restore: {self.label}",
            self._record_answer(200, "The record, as it was when it was deleted."),
            (*WRITING, 404, 412),
            parameters=p.shared("Id", "IfMatch", "IdempotencyKey"),
            requestBody=json(ref("Nothing"), required=False),
        )

    def _purge(self) -> None:
        self._add(
            f"{self.one}/purge",
            "post",
            "purge",
            f"Purge what is deleted: {self.label}",
            {"204": {"description": "Gone for good, with what was personal in its history."}},
            (*WRITING, 404, 412),
            description="For administrators. Refused with 409 and codes such as `not_deleted`, `referenced`, `kept`.",
            parameters=p.shared("Id", "IfMatch", "IdempotencyKey"),
            requestBody=json(ref("PurgeRequest"), required=False),
        )

    def _erasing(self) -> None:
        accepted = answer(202, "Under way; `Location` is the receipt.", ref("Erasure"))
        accepted["202"]["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
        self._add(
            f"{self.one}/erase",
            "post",
            "erase",
            f"Erase the person: {self.label}",
            accepted,
            (*WRITING, 404, 412),
            description="Empties everything that says who it was, in every service. Nobody takes it back. Refused with"
            " 409 and codes such as `referenced` while business with the person is open.",
            parameters=p.shared("Id", "IfMatch", "IdempotencyKey"),
            requestBody=json(ref("EraseRequest")),
        )
        found = answer(200, "What each service let go of, and what it kept and why.", ref("Erasure"))
        summary = f"Receipt of the erasure: {self.label}"
        self._add(f"{self.one}/erasure", "get", "erasure", summary, found, (*READING, 404), parameters=p.shared("Id"))

    def _command(self, command: Command) -> None:
        saga = command.answers == 202
        text = "Accepted; `Location` tells how far it is." if saga else "The record after the command."
        more: JSON = {"parameters": p.shared("Id", "IfMatch", "IdempotencyKey")}
        if command.request is None:
            more["requestBody"] = json(ref("Nothing"), required=False)
        else:
            demanded = any(field.required for field in command.request.declared().values())
            more["requestBody"] = json(self.schemas.request(command.request), required=demanded)
        if command.errors:
            more["description"] = (
                "Refused with 409 and one of the codes " + ", ".join(f"`{code}`" for code in command.errors) + "."
            )
        answers = self._record_answer(command.answers, text, location=saga)
        path = f"{self.one}/{command.verb}"
        self._add(
            path, "post", command.verb, f"{command.label[0]}: {self.label}", answers, (*WRITING, 404, 412), **more
        )

    def _query(self, query: Query) -> None:
        answers = answer(200, "The answer.", self.schemas.reply(query.reply))
        path, summary = f"{self.one}/{query.path}", f"{query.path.title()}: {self.label}"
        self._add(path, "get", query.path, summary, answers, (*READING, 404), parameters=p.shared("Id"))

    def _saga(self) -> None:
        answers = answer(200, "How far the work across services is.", ref("Saga"))
        summary = f"Work across services: {self.label}"
        self._add(f"{self.one}/saga", "get", "saga", summary, answers, (*READING, 404), parameters=p.shared("Id"))

    def _history(self) -> None:
        answers = answer(200, "Versions, the latest first.", ref("History"))
        parameters = p.shared("Id", "Limit", "After")
        self._add(
            f"{self.one}/history",
            "get",
            "history",
            f"History: {self.label}",
            answers,
            (*READING, 404),
            parameters=parameters,
        )

    def _merging(self) -> None:
        """Merging twins, taking it back, and what was merged."""
        parameters, errors = p.shared("Id", "IfMatch", "IdempotencyKey"), (*WRITING, 404, 412)
        accepted = answer(202, "Accepted; `Location` lists the merges with their state.", ref("MergeAccepted"))
        accepted["202"]["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
        texts = {
            "merge": ("Merge others into this", "MergeRequest", "merged", "merge_running", "wrong_state"),
            "unmerge": (
                "Take the latest merge back",
                "UnmergeRequest",
                "not_latest",
                "nothing_merged",
                "merge_running",
            ),
        }
        for verb, (text, body, *codes) in texts.items():
            self._add(
                f"{self.one}/{verb}",
                "post",
                verb,
                f"{text}: {self.label}",
                accepted,
                errors,
                parameters=parameters,
                requestBody=json(ref(body), required=verb == "merge"),
                description="Refused with 409 and codes such as " + ", ".join(f"`{code}`" for code in codes) + ".",
            )
        listed = answer(200, "The merges into this record, the latest first.", ref("Merges"))
        summary = f"What was merged: {self.label}"
        self._add(f"{self.one}/merges", "get", "merges", summary, listed, (*READING, 404), parameters=p.shared("Id"))
        found = answer(200, "The likeliest first; see the conventions.", self.schemas.duplicates_of(self.record))
        summary, parameters = f"Possible twins: {self.label}", [*p.shared("Id"), p.TWINS]
        path = f"{self.one}/duplicates"
        self._add(path, "get", "duplicates", summary, found, (*READING, 404), parameters=parameters)

    def _changes(self) -> None:
        name = f"{self.schemas.name(self.record)}Changes"
        record = self.schemas.record(self.record)
        change: JSON = {
            "type": "object",
            "required": ["id", "version", "deleted", "record"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "version": {"type": "integer"},
                "deleted": {"type": "boolean"},
                "record": {"anyOf": [record, {"type": "null"}]},
            },
        }
        answers = answer(
            200,
            "Records that changed, in the order of their changes.",
            self.schemas.reference(name, lambda: page(change)),
        )
        summary = f"Synchronise: {self.label}"
        self._add(
            f"{self.base}/changes", "get", "changes", summary, answers, READING, parameters=p.shared("Limit", "After")
        )

    def _by_external(self) -> None:
        path = f"{self.base}/by-external/{{system}}/{{key}}"
        place = p.shared("System", "Key")
        found = self._record_answer(200, "The record.")
        self._add(
            path,
            "get",
            "get_by_external",
            f"Read one by its key elsewhere: {self.label}",
            found,
            (*READING, 404),
            parameters=place,
        )
        self._add(
            path,
            "put",
            "upsert",
            f"Create or change by its key elsewhere: {self.label}",
            {**found, **self._record_answer(201, "The new record.", location=True)},
            (*WRITING, 404, 412),
            parameters=[*place, *p.shared("IfMatch", "IdempotencyKey")],
            requestBody=json(self.schemas.create(self.record)),
        )

    def _bulk(self) -> None:
        answers = answer(200, "One result for each item, in their order.", ref("BulkResult"))
        self._add(
            f"{self.base}/bulk",
            "post",
            "bulk",
            f"Up to 500 writes: {self.label}",
            answers,
            (*WRITING, 404, 412),
            parameters=p.shared("IdempotencyKey"),
            requestBody=json(ref("BulkRequest")),
        )

    def _aggregate(self) -> None:
        answers = answer(200, "One row for each group.", ref("Aggregate"))
        errors = (*READING, 413, 415, 422)
        self._add(
            f"{self.base}/aggregate",
            "post",
            "aggregate",
            f"Count and sum: {self.label}",
            answers,
            errors,
            requestBody=json(aggregates.request(self.record, self.schemas)),
        )

    def _record_answer(self, status: int, text: str, *, location: bool = False, links: bool = False) -> JSON:
        found = answer(status, text, self.schemas.record(self.record))
        response = found[str(status)]
        response["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
        if location:
            response["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
        if links and (named := self._links()):
            response["links"] = named
        return found

    def _links(self) -> JSON:
        """Where the id of a new record leads: what a client may do next."""
        operations = ("get", "update", "delete", "restore", "history")
        names = [name for name in operations if name in self.record.operations]
        names += [command.verb for command in self.schemas.registry.commands_of(self.record)]
        names += [query.path for query in self.schemas.registry.queries_of(self.record)]
        return {
            name: {"operationId": f"{self.record.collection}.{name}", "parameters": {"id": "$response.body#/id"}}
            for name in names
        }
