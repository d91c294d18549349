"""The kinds of fields that hold more than one value: lists, maps, documents, and parts of a record."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError

from contracts.scalars import CONTROL, JSON, NAME_PATTERN, Field, Text

if TYPE_CHECKING:
    from contracts.records import Part


class Texts(Field):
    """A list of short texts without repeats, such as tags or currencies. `has` finds those with all of some texts."""

    operators = ("has", "empty")

    def __init__(self, of: Text | None = None, *, most: int = 100, **options: Any) -> None:
        super().__init__(**options)
        self.of, self.most = of or Text(max=100, required=True), most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > self.most:
            raise self.fail(f"Must be a list of at most {self.most} texts.")
        items, errors = [], {}
        for index, item in enumerate(value):
            try:
                items.append(self.of.deserialize(item))
            except ValidationError as error:
                errors[index] = error.messages
        if errors:
            raise ValidationError(errors)
        if len(set(items)) != len(items):
            raise self.fail("Must not repeat.")
        return items

    def to_wire(self, value: Any) -> list[str]:
        # A copy, as in the two kinds below: what a rule changes in place must differ from how the record was loaded.
        return list(value)

    def json_schema(self) -> JSON:
        return {"type": "array", "items": self.of.json_schema(), "maxItems": self.most, "uniqueItems": True}


class StringMap(Field):
    """A map of short keys to short texts, such as `external_ids`: `{"northwind": "ALFKI"}`."""

    operators = ()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > 20:
            raise self.fail("Must be an object of at most 20 entries.")
        for key, item in value.items():
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", key, re.ASCII):
                raise self.fail("A key has 1 to 40 characters of a-z 0-9 _ -.")
            if not isinstance(item, str) or not 1 <= len(item) <= 200 or CONTROL.search(item) or not item.strip():
                raise ValidationError({key: ["Must be text of 1 to 200 characters."]})
        return value

    def to_wire(self, value: Any) -> dict[str, str]:
        return dict(value)

    def json_schema(self) -> JSON:
        return {
            "type": "object",
            "maxProperties": 20,
            "propertyNames": {"pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": NAME_PATTERN},
        }


class Document(Field):
    """A JSON object whose inside belongs to its producer: rule settings, custom values, grants."""

    operators = ()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail("Must be an object.")
        return value

    def to_wire(self, value: Any) -> JSON:
        return copy.deepcopy(value)

    def json_schema(self) -> JSON:
        return {"type": "object"}


class Value(Document):
    """Any JSON value: its shape is decided by another field, as that of a custom field's default by its type."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value

    def json_schema(self) -> JSON:
        return {}


class Choices(Field):
    """Several of declared values, without repeats, in the order of their declaration."""

    operators = ("eq", "ne", "in", "empty")

    def __init__(self, choices: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail("Must be a list of texts.")
        if not set(value) <= set(self.choices):
            raise self.fail(f"Must be some of: {', '.join(self.choices)}.")
        return [choice for choice in self.choices if choice in value]

    def json_schema(self) -> JSON:
        return {"type": "array", "items": {"type": "string", "enum": list(self.choices)}}


class Parts(Field):
    """A list of parts that live and die with their record, such as order lines. Each has an id that it keeps."""

    operators = ()

    def __init__(self, part: type[Part], *, at_least: int = 0, at_most: int = 200, **options: Any) -> None:
        if not at_least and not options.get("computed"):
            options.setdefault("default", list)
        super().__init__(**options)
        self.part, self.at_least, self.at_most = part, at_least, at_most
        self._schema: Any = None

    @property
    def schema(self) -> Any:
        if self._schema is None:
            self._schema = self.part()
        return self._schema

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[SimpleNamespace]:
        if not isinstance(value, list):
            raise self.fail("Must be a list.")
        if not self.at_least <= len(value) <= self.at_most:
            raise self.fail(f"Must have between {self.at_least} and {self.at_most} entries.")
        loaded, errors = [], {}
        for index, item in enumerate(value):
            try:
                loaded.append(self.part.make(self.schema.load(item)))
            except ValidationError as error:
                errors[index] = error.messages
        if errors:
            raise ValidationError(errors)
        ids = [part.id for part in loaded if getattr(part, "id", None)]
        if len(ids) != len(set(ids)):
            raise self.fail("Two entries have the same id.")
        return loaded

    def to_wire(self, value: Any) -> list[JSON]:
        return [self.part.wire(part) for part in value]

    def from_wire(self, value: Any) -> list[SimpleNamespace]:
        return [self.part.from_wire(item) for item in value]

    def json_schema(self) -> JSON:
        return {
            "type": "array",
            "items": {"$ref": f"#/components/schemas/{self.part.__name__}"},
            "minItems": self.at_least,
            "maxItems": self.at_most,
        }


class Embedded(Field):
    """One part inside a record, such as an address."""

    operators = ()

    def __init__(self, part: type[Part], **options: Any) -> None:
        super().__init__(**options)
        self.part = part
        self._schema: Any = None

    @property
    def schema(self) -> Any:
        if self._schema is None:
            self._schema = self.part()
        return self._schema

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> SimpleNamespace:
        if not isinstance(value, dict):
            raise self.fail("Must be an object.")
        return self.part.make(self.schema.load(value))

    def to_wire(self, value: Any) -> JSON:
        return self.part.wire(value)

    def from_wire(self, value: Any) -> SimpleNamespace:
        return self.part.from_wire(value)

    def json_schema(self) -> JSON:
        return {"$ref": f"#/components/schemas/{self.part.__name__}"}
