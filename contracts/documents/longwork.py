"""The operations of one collection that answer with a job."""

from __future__ import annotations

from typing import Any

from contracts.documents import parameters as p
from contracts.documents.answers import WRITING, job, json
from contracts.documents.operations import Collection
from contracts.documents.schemas import nullable

JSON = dict[str, Any]


class LongWork(Collection):
    """Adds what takes longer than a request to the paths of one record."""

    def describe(self) -> None:
        if "export" in self.record.operations:
            self._export()
        if "bulk" in self.record.operations:
            self._bulk_job()

    def _export(self) -> None:
        fields = next(one["schema"] for one in p.selection(self.record) if one["name"] == "fields")
        properties: JSON = {
            "filter": p.filter_tree(self.record, self.schemas),
            "sort": p.sort_schema(self.record),
            "fields": fields,
            "format": {"type": "string", "enum": ["csv", "xlsx", "jsonl"], "default": "csv"},
            "style": {"type": "string", "enum": ["human", "machine"], "default": "human"},
        }
        if "delete" in self.record.operations:
            properties["deleted"] = p.SHARED["Deleted"]["schema"]
        schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {word: nullable(value) for word, value in properties.items()},
        }
        self._add(
            f"{self.base}/export",
            "post",
            "export",
            f"Export a list to a file: {self.label}",
            job("The file is at the job's `result_url` when it has succeeded."),
            WRITING,
            description="The records that the list would show, in pages that are each as of when they are read."
            " `human` has labels, names and local times, and nothing that a spreadsheet takes for a formula;"
            " `machine` loses nothing.",
            parameters=p.shared("IdempotencyKey"),
            requestBody=json(schema, required=False),
        )

    def _bulk_job(self) -> None:
        verbs = [command.verb for command in self.schemas.registry.commands_of(self.record)]
        actions = [name for name in ("update", "delete") if name in self.record.operations]
        properties: JSON = {
            "action": {"type": "string", "enum": [*actions, *verbs]},
            "filter": nullable(p.filter_tree(self.record, self.schemas)),
            "all": {"type": "boolean", "default": False, "description": "Every record is meant; instead of a filter."},
            "patch": {**self.schemas.patch(self.record), "description": "For update."},
            "data": {"type": ["object", "null"], "description": "The body of the command."},
        }
        schema = {"type": "object", "required": ["action"], "additionalProperties": False, "properties": properties}
        self._add(
            f"{self.base}/bulk-jobs",
            "post",
            "bulk_job",
            f"Change whatever a filter finds, of any number: {self.label}",
            job("A preview: its result counts and shows what would be changed."),
            WRITING,
            description="Nothing is changed yet. `POST /v1/jobs/{id}/run` on the preview changes exactly the records"
            " that it found, in the versions that it saw; `POST /v1/jobs/{id}/undo` on the run puts them back.",
            parameters=p.shared("IdempotencyKey"),
            requestBody=json(schema),
        )
