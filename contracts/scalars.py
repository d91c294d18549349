"""The kinds of fields with one value: text, numbers, money, dates, choices, references.

Each is a marshmallow field that also knows its labels, its JSON Schema, how lists may use it and whether it is
personal. `to_wire` is the inverse of marshmallow's load: a Python value becomes plain JSON.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, missing

from contracts.values import MINOR_UNITS, Amount, instant, parse_decimal, parse_instant, parse_uuid, plain

Label = tuple[str, str]
JSON = dict[str, Any]

# C0 controls other than tab and line breaks carry no meaning in business text, and PostgreSQL refuses NUL.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Field(fields.Field[Any]):
    """What every declared field has beyond marshmallow's own.

    `computed` fields are written by rules only, `once` fields only at creation. `filter` and `sort` promise an index;
    `search` is the weight in full-text search (0: not searched); `pii` keeps the value out of the plain change row.
    """

    operators: ClassVar[tuple[str, ...]] = ("eq", "ne", "in", "empty")

    def __init__(
        self,
        *,
        label: Label | None = None,
        help: Label | None = None,
        required: bool = False,
        default: Any = missing,
        computed: bool = False,
        once: bool = False,
        filter: bool = False,
        sort: bool = False,
        search: int = 0,
        pii: bool = False,
    ) -> None:
        options: dict[str, Any] = {"required": required, "dump_only": computed}
        if not required:
            options["allow_none"] = default is missing
            if not computed:
                options["load_default"] = None if default is missing else default
        super().__init__(**options)
        self.label, self.help = label, help
        self.default = default
        self.computed, self.once = computed, once
        self.filter, self.sort, self.search, self.pii = filter, sort, search, pii

    def to_wire(self, value: Any) -> Any:
        """The plain JSON of one value that is not None."""
        return value

    def json_schema(self) -> JSON:
        """The JSON Schema (2020-12) of the value on the wire, null left out."""
        raise NotImplementedError

    def fail(self, message: str) -> ValidationError:
        return ValidationError(message)


class Text(Field):
    """A line or more of text. `max` counts characters. Control characters are refused."""

    operators = ("eq", "ne", "in", "contains", "starts", "empty")

    def __init__(self, *, max: int = 200, min: int = 0, pattern: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.max = max
        self.min = min or (1 if self.required else 0)
        self.pattern = pattern

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.fail("Must be text.")
        if CONTROL.search(value):
            raise self.fail("Control characters are not allowed.")
        if len(value) > self.max:
            raise self.fail(f"At most {self.max} characters.")
        if len(value) < self.min or (self.min and not value.strip()):
            raise self.fail("Must not be empty.")
        if self.pattern and not re.fullmatch(self.pattern, value, re.ASCII):
            raise self.fail(f"Must match {self.pattern}.")
        return value

    def json_schema(self) -> JSON:
        schema: JSON = {"type": "string", "maxLength": self.max}
        if self.min:
            schema["minLength"] = self.min
        # JSON Schema has no "not blank" or "no control characters" of its own, so both are said by patterns.
        schema["pattern"] = (
            f"^(?:{self.pattern})$" if self.pattern else (TEXT_PATTERN if not self.min else NAME_PATTERN)
        )
        return schema


# Regular expression engines disagree about \s and refuse surrogates: so blanks are spelled out as `str.strip` takes
# them, and surrogates are left to the JSON parser, which knows none.
_PLAIN = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_VISIBLE = r"[^\x00-\x20\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
TEXT_PATTERN = rf"^{_PLAIN}*$"
NAME_PATTERN = rf"^{_PLAIN}*{_VISIBLE}{_PLAIN}*$"


class Email(Text):
    """An e-mail address: syntax only, nothing is looked up."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max", 254)
        super().__init__(
            pattern=r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", **options
        )


class Code(Text):
    """A short machine-friendly word, such as a SKU or a language tag."""

    def __init__(self, *, pattern: str = r"[A-Za-z0-9._:/-]{1,64}", **options: Any) -> None:
        options.setdefault("max", 64)
        super().__init__(pattern=pattern, **options)


class Currency(Text):
    """An ISO 4217 code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max=3, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in MINOR_UNITS:
            raise self.fail("Not an ISO 4217 currency code.")
        return value

    def json_schema(self) -> JSON:
        return {"type": "string", "enum": sorted(MINOR_UNITS)}


class Integer(Field):
    """A whole number between `least` and `most`."""

    operators = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "empty")

    def __init__(self, *, least: int = -(2**31), most: int = 2**31 - 1, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        # JSON Schema counts 3.0 as an integer, so it is one here too; true and false are not.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail("Must be a whole number.")
        if not self.least <= value <= self.most:
            raise self.fail(f"Must be between {self.least} and {self.most}.")
        return value

    def json_schema(self) -> JSON:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Number(Field):
    """An exact decimal, a string on the wire. `least` and `most` are inclusive, `above` exclusive.

    `places` bounds the decimals.
    """

    operators = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "empty")

    def __init__(
        self,
        *,
        least: int | None = None,
        most: int | None = None,
        above: int | None = None,
        places: int = 6,
        **options: Any,
    ) -> None:
        if isinstance(options.get("default"), str):
            options["default"] = Decimal(options["default"])
        super().__init__(**options)
        self.least, self.most, self.above, self.places = least, most, above, places

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        number = parse_decimal(value)
        if -number.as_tuple().exponent > self.places:  # type: ignore[operator]
            raise self.fail(f"At most {self.places} decimals.")
        if self.above is not None and number <= self.above:
            raise self.fail(f"Must be above {self.above}.")
        if self.least is not None and (number < self.least or (self.least == 0 and number.is_signed())):
            raise self.fail(f"Must be at least {self.least}.")
        if self.most is not None and number > self.most:
            raise self.fail(f"Must be at most {self.most}.")
        return number

    def to_wire(self, value: Any) -> str:
        return plain(value)

    def json_schema(self) -> JSON:
        signed = self.least is None and self.above is None
        decimals = rf"(\.[0-9]{{1,{self.places}}})?" if self.places else ""
        schema: JSON = {"type": "string", "format": "decimal"}
        if self.most == 100 and self.least == 0:
            zeros = rf"(\.0{{1,{self.places}}})?" if self.places else ""
            schema["pattern"] = rf"^(100{zeros}|[1-9]?[0-9]{decimals})$"
        elif self.above == 0:
            # Above zero: some digit is not zero, either before or behind the point.
            behind = [rf"0\.0{{{zeros}}}[1-9][0-9]{{0,{self.places - 1 - zeros}}}" for zeros in range(self.places)]
            schema["pattern"] = rf"^({'|'.join([rf'[1-9][0-9]{{0,14}}{decimals}', *behind])})$"
        else:
            schema["pattern"] = rf"^{'-?' if signed else ''}(0|[1-9][0-9]{{0,14}}){decimals}$"
        return schema


class Quantity(Number):
    """How many or how much of a product."""


class Percent(Number):
    """0 to 100."""

    def __init__(self, **options: Any) -> None:
        super().__init__(least=0, most=100, places=4, **options)


class Money(Field):
    """An `Amount`. Without `places` it has at most the decimals of the currency's minor unit; unit prices take six."""

    operators = ("eq", "ne", "gt", "gte", "lt", "lte", "empty")

    def __init__(self, *, places: int | None = None, signed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.places, self.signed = places, signed

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Amount:
        if not isinstance(value, Mapping) or set(value) != {"amount", "currency"}:
            raise self.fail('Must be {"amount": "12.34", "currency": "CNY"}.')
        currency = value["currency"]
        if not isinstance(currency, str) or currency not in MINOR_UNITS:
            raise ValidationError({"currency": ["Not an ISO 4217 currency code."]})
        try:
            number = parse_decimal(value["amount"])
        except ValidationError as error:
            raise ValidationError({"amount": error.messages}) from None
        minor = MINOR_UNITS[currency]
        allowed = minor if self.places is None else max(self.places, minor)
        if -number.as_tuple().exponent > allowed:  # type: ignore[operator]
            raise ValidationError({"amount": [f"At most {allowed} decimals in {currency}."]})
        if number.is_signed() and not self.signed:
            raise ValidationError({"amount": ["Must not be negative."]})
        if -number.as_tuple().exponent < minor:  # type: ignore[operator]
            number = number.quantize(Decimal(1).scaleb(-minor))
        return Amount(number, currency)

    def to_wire(self, value: Any) -> JSON:
        return {"amount": plain(value.amount), "currency": value.currency}

    def json_schema(self) -> JSON:
        # How many decimals an amount may have depends on its currency, so currencies alike in that share a branch.
        branches: dict[int, list[str]] = {}
        for currency, minor in sorted(MINOR_UNITS.items()):
            branches.setdefault(minor if self.places is None else max(self.places, minor), []).append(currency)
        shapes = [self._shape(places, currencies) for places, currencies in sorted(branches.items(), reverse=True)]
        return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}

    def _shape(self, places: int, currencies: list[str]) -> JSON:
        decimals = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        pattern = rf"^{'-?' if self.signed else ''}(0|[1-9][0-9]{{0,14}}){decimals}$"
        return {
            "type": "object",
            "required": ["amount", "currency"],
            "additionalProperties": False,
            "properties": {
                "amount": {"type": "string", "format": "decimal", "pattern": pattern},
                "currency": {"type": "string", "enum": currencies},
            },
        }


class Date(Field):
    """A calendar date without zone, `YYYY-MM-DD`."""

    operators = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "within", "empty")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dt.date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise self.fail("Must be a date, YYYY-MM-DD.")
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise self.fail("Not a date of the calendar.") from None

    def to_wire(self, value: Any) -> str:
        return str(value.isoformat())

    def json_schema(self) -> JSON:
        # The calendar begins with year 1.
        return {"type": "string", "format": "date", "pattern": "^0{0,3}[1-9]"}


class Instant(Field):
    """A moment, RFC 3339; stored and answered in UTC."""

    operators = ("eq", "ne", "gt", "gte", "lt", "lte", "within", "empty")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dt.datetime:
        return parse_instant(value)

    def to_wire(self, value: Any) -> str:
        return instant(value)

    def json_schema(self) -> JSON:
        return {"type": "string", "format": "date-time", "pattern": "^[1-8]"}


class Boolean(Field):
    operators = ("eq", "ne")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.fail("Must be true or false.")
        return value

    def json_schema(self) -> JSON:
        return {"type": "boolean"}


class Choice(Field):
    """One of declared values, each with its labels: `Choice(cash=("Cash", "现金"), …)`."""

    def __init__(self, choices: dict[str, Label], **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise self.fail(f"Must be one of: {', '.join(self.choices)}.")
        return value

    def json_schema(self) -> JSON:
        return {"type": "string", "enum": list(self.choices)}


class State(Choice):
    """A state machine: each state names the states that may follow it. Only commands and rules move it.

    `State({"draft": (("Draft", "草稿"), ("placed", "cancelled")), …})`; the first state is where a record begins.
    """

    def __init__(self, states: dict[str, tuple[Label, tuple[str, ...]]], **options: Any) -> None:
        super().__init__({state: label for state, (label, _) in states.items()}, computed=True, **options)
        self.moves = {state: following for state, (_, following) in states.items()}
        self.first = next(iter(states))


class Ref(Field):
    """A reference to another record by its id. `target` is the record's name; the field is called `<name>_id`.

    `on_delete` says what the target's deletion means to who refers to it, whichever service either is in: `restrict`
    refuses it, `cascade` lets the referring record go with it, `keep` lets the reference stand. Once the referring
    record's `status` is one of `until`, the reference only stands. Bodies of commands name no policy.
    """

    def __init__(
        self, target: str, *, on_delete: str | None = None, until: tuple[str, ...] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        if on_delete not in (None, "restrict", "cascade", "keep") or (
            until and on_delete not in ("restrict", "cascade")
        ):
            raise TypeError(f"on_delete is restrict, cascade or keep, not {on_delete} until {until}")
        self.target, self.on_delete, self.until = target, on_delete, until

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return parse_uuid(value)

    def json_schema(self) -> JSON:
        return {"type": "string", "format": "uuid"}


class Id(Ref):
    """The record's own id, or the id of a part."""

    def __init__(self, **options: Any) -> None:
        super().__init__("", **options)
