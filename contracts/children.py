"""Notes and attachments: what every record may have, with the permissions of the record that it is about.

Each service keeps those of its own records, so `sales.note` is a note about a record of sales. They are declared here
for every service that has records, and are no collections: they are reached through their record,
`/v1/orders/{id}/notes`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from contracts import fields as f
from contracts.records import Record, RecordMeta, declare
from contracts.registry import Registry, registry

OPERATIONS = frozenset({"list", "get", "create", "update", "delete", "restore", "history", "export"})
KINDS = ("note", "attachment")
MOST_TEXT = 20_000
MOST_NAME = 200


class Child(Record):
    """What notes and attachments have in common. `owner_id` and `team_id` are their record's when they last changed."""

    about_type = f.Code(computed=True, max=80, pattern="[a-z-]+", label=("Kind of record", "记录类型"))
    about_id = f.Id(computed=True, filter=True, label=("Record", "记录"))
    author_id = f.Ref("identity.user", on_delete="keep", computed=True, filter=True, label=("Author", "作者"))
    owner_id = f.Ref("identity.user", on_delete="keep", computed=True, label=("Owner of the record", "记录负责人"))
    team_id = f.Ref("identity.team", on_delete="keep", computed=True, label=("Team of the record", "记录团队"))

    kind: ClassVar[str]
    number_pattern = None


class Note(Child):
    """A text about a record. Its author changes and deletes it, and whoever may delete the record."""

    text = f.Text(required=True, max=MOST_TEXT, pii=True, label=("Text", "内容"))
    pinned = f.Boolean(default=False, label=("Pinned", "置顶"))
    edited_at = f.Instant(computed=True, label=("Edited at", "编辑时间"))

    kind = "note"
    collection = "notes"
    singular = "note"
    operations = OPERATIONS


class Attachment(Child):
    """A file of a record. `content_type` follows from its bytes; `sha256` names its content. `scan` is null where there
    was no scanner when it came; where there is one, only what is clean is served.

    A new name keeps the ending. Its author changes and deletes it, and whoever may delete the record.
    """

    name = f.Text(required=True, max=MOST_NAME, pii=True, label=("File name", "文件名"))
    description = f.Text(max=2_000, pii=True, label=("Description", "说明"))
    content_type = f.Text(computed=True, max=120, label=("Type", "类型"))
    size = f.Integer(computed=True, least=0, most=2**53, label=("Bytes", "字节数"))
    scan = f.Choice(
        {
            "pending": ("Not scanned yet", "待扫描"),
            "clean": ("Clean", "安全"),
            "rejected": ("Rejected by the scanner", "扫描未通过"),
        },
        computed=True,
        label=("Virus scan", "病毒扫描"),
    )
    sha256 = f.Code(computed=True, pattern="[0-9a-f]{64}", label=("SHA-256", "SHA-256"))

    kind = "attachment"
    collection = "attachments"
    singular = "attachment"
    operations = OPERATIONS


LABELS = {"note": ("Note", "备注"), "attachment": ("Attachment", "附件")}
DECLARED: dict[str, type[Child]] = {"note": Note, "attachment": Attachment}


def announce(declared: Registry = registry) -> None:
    """Declare both for every service that has records by now."""
    for service in sorted({record.service for record in declared.records.values()}):
        for kind, base in DECLARED.items():
            if f"{service}.{kind}" not in declared.children:
                _declare(service, kind, base)


def _declare(service: str, kind: str, base: type[Child]) -> None:
    made: Any = RecordMeta(
        f"{service.title()}{base.__name__}", (base,), {"__module__": __name__, "__doc__": base.__doc__}
    )
    declare(
        made,
        name=f"{service}.{kind}",
        collection=base.collection,
        label=LABELS[kind],
        operations=OPERATIONS,
        title="text" if kind == "note" else "name",
        child=True,
    )
