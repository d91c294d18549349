"""How records, commands, events and queries are declared; a declaration registers itself in `contracts.registry`."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError
from marshmallow.schema import SchemaMeta

from contracts import fields as f
from contracts.registry import registry

EVERYTHING = frozenset(
    {
        "list",
        "get",
        "create",
        "update",
        "delete",
        "restore",
        "purge",
        "history",
        "bulk",
        "upsert",
        "changes",
        "aggregate",
        "export",
        "import",
    }
)
ONE_BY_ONE = EVERYTHING - {"bulk", "upsert", "import"}
INSERT_ONLY = frozenset({"list", "get", "create", "history", "changes", "aggregate", "export", "import"})
READ_ONLY = frozenset({"list", "get", "history", "changes", "aggregate", "export"})
VIEW = frozenset({"list", "get", "aggregate", "export"})


class Part(Schema):
    """A structure inside a record, or the body of a command. Unknown fields are errors, never dropped."""

    class Meta:
        unknown = RAISE

    def load(self, data: Any, *, partial: Any = None, **options: Any) -> Any:
        """As marshmallow's. What is right is read here, which marshmallow does in four times the time; what is wrong it
        reads once more, for its errors."""
        if type(data) is dict and not options and partial in (None, False, True) and not self.partial:
            try:
                return self._right(data, bool(partial))
            except ValidationError:
                pass
        return super().load(data, partial=partial, **options)

    def _right(self, data: dict[str, Any], partial: bool) -> dict[str, Any]:
        """The values in the order of their declaration. Raises ValidationError, which says nothing more."""
        loaded: dict[str, Any] = {}
        left = len(data)
        for name, field in self.load_fields.items():
            value = data.get(name, f.missing)
            if value is f.missing:
                if partial:
                    continue
                if field.required:
                    raise ValidationError(name)
                default = field.load_default
                if default is not f.missing:
                    loaded[name] = default() if callable(default) else default
                continue
            left -= 1
            if value is not None:
                loaded[name] = field._deserialize(value, name, data)
            elif field.allow_none:
                loaded[name] = None
            else:
                raise ValidationError(name)
        if left:
            raise ValidationError("unknown")
        return loaded

    @classmethod
    def declared(cls) -> dict[str, f.Field]:
        return cls._declared_fields  # type: ignore[return-value]

    @classmethod
    def make(cls, values: dict[str, Any]) -> SimpleNamespace:
        """An object with every declared field; what is missing has its default, or None."""
        made = SimpleNamespace()
        for name, field in cls.declared().items():
            value = values.get(name)
            if value is None and field.default is not f.missing:
                value = field.default() if callable(field.default) else field.default
            setattr(made, name, value)
        return made

    @classmethod
    def wire(cls, part: Any) -> dict[str, Any]:
        """The plain JSON of a part; empty optional fields are null."""
        return {
            name: None if (value := getattr(part, name, None)) is None else field.to_wire(value)
            for name, field in cls.declared().items()
        }

    @classmethod
    def from_wire(cls, item: dict[str, Any]) -> SimpleNamespace:
        """A part from its own stored JSON, which was validated when it was written; fields it lacks are None."""
        made = SimpleNamespace()
        for name, field in cls.declared().items():
            value = item.get(name)
            if value is not None:
                value = (
                    field.from_wire(value)
                    if isinstance(field, (f.Parts, f.Embedded))
                    else field._deserialize(value, name, item)
                )
            setattr(made, name, value)
        return made


class Address(Part):
    """A postal address as written on an envelope; `country` is a name or an ISO code."""

    street = f.Text(label=("Street", "街道"), pii=True)
    city = f.Text(max=100, label=("City", "城市"))
    region = f.Text(max=100, label=("Region", "省/州"))
    postal_code = f.Text(max=20, label=("Postal code", "邮编"))
    country = f.Text(max=60, label=("Country", "国家"))


class RecordMeta(SchemaMeta):
    """Takes the keyword arguments of a record's class statement, which marshmallow's own metaclass does not accept."""

    def __new__(mcs, class_name: str, bases: tuple[type, ...], attrs: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcs, class_name, bases, attrs)

    def __init__(cls, class_name: str, bases: tuple[type, ...], attrs: dict[str, Any], **options: Any) -> None:
        super().__init__(class_name, bases, attrs)  # type: ignore[no-untyped-call]
        if options:
            declare(cls, **options)  # type: ignore[arg-type]


class Record(Part, metaclass=RecordMeta):
    """What every record has. Subclasses add their own fields:

    `class Order(Record, name="sales.order", collection="orders", label=("Order", "订单"))`.
    """

    id = f.Id(computed=True, label=("Id", "标识"))
    version = f.Integer(computed=True, label=("Version", "版本"))
    created_at = f.Instant(computed=True, label=("Created at", "创建时间"))
    created_by = f.Text(computed=True, label=("Created by", "创建人"))
    updated_at = f.Instant(computed=True, label=("Updated at", "更新时间"))
    updated_by = f.Text(computed=True, label=("Updated by", "更新人"))
    deleted_at = f.Instant(computed=True, label=("Deleted at", "删除时间"))
    owner_id = f.Ref("identity.user", on_delete="keep", filter=True, label=("Owner", "负责人"))
    team_id = f.Ref("identity.team", on_delete="keep", filter=True, label=("Team", "团队"))
    tags = f.Texts(f.Text(max=50, required=True), default=list, filter=True, most=50, label=("Tags", "标签"))
    external_ids = f.StringMap(default=dict, label=("External ids", "外部编号"))
    custom = f.Document(default=dict, label=("Custom fields", "自定义字段"))

    record_name: ClassVar[str]
    collection: ClassVar[str]
    service: ClassVar[str]
    singular: ClassVar[str]
    operations: ClassVar[frozenset[str]]
    number_pattern: ClassVar[str | None]
    title_field: ClassVar[str]
    subtitle_fields: ClassVar[tuple[str, ...]]
    record_label: ClassVar[f.Label]
    likeness: ClassVar[dict[str, tuple[str, int]]]
    """What twins have in common: field to its kind of likeness (`chassis.likeness`) and its weight."""
    repoints: ClassVar[bool]
    """Whether its references follow a merge. Balances and the entries of their ledgers stay with what they count."""
    retention: ClassVar[int | None]
    """How many days a deleted one is kept where the tenant says nothing; None: for ever."""
    kept_by_law: ClassVar[bool]
    """Whether nobody may purge it earlier than that."""


LAW = 3_650
"""Days: documents of trade are kept for ten years (§ 257 HGB; 会计档案管理办法 wants ten and more)."""
STANDARD = tuple(Record._declared_fields)


def declare(
    cls: type[Record],
    *,
    name: str,
    collection: str,
    label: f.Label,
    number: str | None = None,
    operations: frozenset[str] = EVERYTHING,
    title: str = "name",
    subtitle: tuple[str, ...] = (),
    merges: bool = False,
    likeness: dict[str, tuple[str, int]] | None = None,
    repoints: bool = True,
    child: bool = False,
    retention: int | None = 90,
    erases: bool = False,
) -> None:
    """Register a record: `name` is `<service>.<record>`, `collection` its plural in URLs.

    `title` is its field shown in lists, `number` the default pattern of its human number: `SO-{year}-{seq:05}`. What
    `merges` can be merged with others of its kind, and un-merged again; `likeness` says by which fields twins are
    found. `retention` is how many days deleted ones are kept before they are purged, None: for ever. Of what
    `erases`, somebody is the person, who can be erased. A `child` is no collection of its own (`contracts.children`).
    """
    if not re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", name):
        raise TypeError(f"{name} is not <service>.<record>")
    cls.record_name, cls.collection, cls.record_label = name, collection, label
    cls.service, cls.singular = name.split(".", 1)
    cls.operations, cls.number_pattern, cls.repoints = operations, number, repoints
    cls.retention, cls.kept_by_law = retention, retention is not None and retention >= LAW
    cls.likeness = likeness or {}
    if merges != bool(likeness) or not cls.likeness.keys() <= cls._declared_fields.keys():
        raise TypeError(f"{name}: what merges, and only that, says by which of its fields twins are found")
    if merges:
        cls.operations = operations | {"merge"}
        merged_into = f.Ref(name, computed=True, on_delete="keep", label=("Merged into", "已并入"))
        cls._declared_fields = {**cls._declared_fields, "merged_into_id": merged_into}
    if erases:
        cls.operations |= {"erase"}
    if number:
        number_field = f.Text(max=60, computed=True, filter=True, sort=True, search=10, label=("Number", "编号"))
        cls._declared_fields = {"id": cls._declared_fields["id"], "number": number_field, **cls._declared_fields}
    own = [field for field in cls._declared_fields if field not in STANDARD]
    cls._declared_fields = {field: cls._declared_fields[field] for field in ("id", *own, *STANDARD[1:])}
    reserved = {"changed", "previous"} & set(own)
    if reserved:
        raise TypeError(f"{name}: {reserved} are words of the event envelope")
    cls.title_field = title if title in cls._declared_fields else ("number" if number else "id")
    cls.subtitle_fields = subtitle
    if child:
        registry.add_child(cls)
    else:
        registry.add_record(cls)
    for verb in ("created",) if "create" in operations or operations is READ_ONLY else ():
        Event(f"{name}.{verb}", of=cls)
    for operation, verb in (("update", "updated"), ("delete", "deleted"), ("restore", "restored")):
        if operation in operations:
            Event(f"{name}.{verb}", of=cls)
    if "purge" in operations or child:
        Event(f"{name}.purged", of=cls, gone=True)
    if erases:
        Event(f"{name}.erased", of=cls)
    if merges:
        Event(f"{name}.merged", of=cls)


@dataclass(frozen=True)
class Event:
    """Something that happened to a record, in the past tense: `Event("sales.order.placed", of=Order)`.

    Its data is the record after the change, with `changed` (names of fields) and `previous` (their values before).
    """

    name: str
    of: type[Record]
    schema_version: int = 1
    gone: bool = False
    """Whether the record is no more: its data has nothing but ids, times and owner; every other field is null."""

    def __post_init__(self) -> None:
        registry.add_event(self)


@dataclass(frozen=True)
class Command:
    """A verb on one record, `POST /v1/{collection}/{id}/{verb}`.

    `request` is the body's schema (none: an empty or absent body), `errors` the codes a caller must expect, `emits`
    the event that the change becomes (none: `<record>.updated`). `leads` says from which state it leads to which one.
    """

    name: str
    on: type[Record]
    request: type[Part] | None = None
    answers: int = 200
    errors: tuple[str, ...] = ()
    emits: Event | None = None
    label: f.Label = ("", "")
    leads: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        registry.add_command(self)

    @property
    def verb(self) -> str:
        return self.name.rsplit(".", 1)[1]


@dataclass(frozen=True)
class Query:
    """A read of its own shape beside a record, `GET /v1/{collection}/{id}/{path}`; `reply` is its schema."""

    name: str
    on: type[Record]
    reply: type[Part]

    def __post_init__(self) -> None:
        registry.add_query(self)

    @property
    def path(self) -> str:
        return self.name.rsplit(".", 1)[1]


@dataclass(frozen=True)
class Ask:
    """A saga's command to another service, `<service>.<what>`: it is answered by a reply, or refused with a code."""

    name: str
    request: type[Part]
    reply: type[Part] | None = None
    refusals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        registry.add_ask(self)

    @property
    def service(self) -> str:
        return self.name.split(".", 1)[0]
