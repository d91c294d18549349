"""A cell's text as the plain JSON that the field of its column takes. What cannot be read raises `Bad`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from chassis.text import fold
from contracts import fields as f
from contracts.values import MINOR_UNITS

JSON = dict[str, Any]
Convert = Callable[[str], Any]
YES = frozenset(("true", "yes", "y", "1", "t", "on", "x", "是", "真", "有", "对", "√", "✓"))
NO = frozenset(("false", "no", "n", "0", "f", "off", "否", "假", "无", "没有", "错", "×", "✗"))
_DATE_PARTS = {"YYYY": r"(?P<Y>\d{4})", "YY": r"(?P<y>\d{2})", "MM": r"(?P<M>\d{1,2})", "DD": r"(?P<D>\d{1,2})"}
_TIME_PARTS = {"HH": r"(?P<H>\d{1,2})", "mm": r"(?P<m>\d{2})", "ss": r"(?P<s>\d{2})"}
_TOKEN = re.compile("YYYY|YY|MM|DD|HH|mm|ss|M|D|H")
_SHORT = {"M": "MM", "D": "DD", "H": "HH"}
# Year first is the only order that nobody reads in two ways; all others want a format.
_DATE = re.compile(r"(?P<Y>\d{4})(?:[-/.](?P<M>\d{1,2})[-/.](?P<D>\d{1,2})|年(?P<M2>\d{1,2})月(?P<D2>\d{1,2})日)")
_TIME = re.compile(r"[T ]\s*(?P<H>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:\.\d+)?)?")
_ZONED = re.compile(r"(?i).*(z|[+-]\d{2}:\d{2})")
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_BLANKS = re.compile(r"[\s\u00a0\u202f']")
_SPLIT = re.compile(r"[;,；，、|]")
_CURRENCY_MARKS = {"€": "EUR", "£": "GBP", "￥": "CNY", "¥": "CNY"}
_WIDE = str.maketrans("０１２３４５６７８９．－＋", "0123456789.-+")


class Bad(ValueError):
    """A cell that cannot be read; its text is the reason in English."""


def decimal_convert(style: str | None) -> Convert:
    """Numbers: `12.34`, `1,234.50` in the style `1,234.5`, `1.234,50` in the style `1.234,5` or `,`."""
    comma = style is not None and bool(re.search(r",\d*$", style))

    def convert(text: str) -> str:
        if _PLAIN.fullmatch(text) and not (comma and "." in text):
            return _canonical(text)
        bare = _BLANKS.sub("", text.translate(_WIDE))
        if comma:
            bare = _ungrouped(bare, ".")
            if "." in bare:
                raise Bad("Not a number in the given format.")
            bare = bare.replace(",", ".")
        elif style is not None:
            bare = _ungrouped(bare, ",")
        if bare.startswith("(") and bare.endswith(")"):
            bare = "-" + bare[1:-1]
        if not _PLAIN.fullmatch(bare):
            raise Bad("Not a number in the given format." if style else "Not a plain number: give its format.")
        return _canonical(bare)

    return convert


def _ungrouped(bare: str, mark: str) -> str:
    """Without the marks that group thousands, where they stand as they should."""
    return bare.replace(mark, "") if re.fullmatch(rf"[+-]?\d{{1,3}}(\{mark}\d{{3}})+([.,]\d+)?", bare) else bare


def _canonical(text: str) -> str:
    if text[0] in "+-" or text[0] == "0":
        sign = "-" if text[0] == "-" else ""
        whole, dot, rest = text.lstrip("+-").partition(".")
        text = f"{sign}{whole.lstrip('0') or '0'}{dot}{rest}"
        return text[1:] if sign and not text.strip("-0.") else text
    return text


def money_convert(style: str | None) -> Callable[[str], tuple[str, str | None]]:
    """An amount, with its currency where the cell names one: `12.34 EUR`, `€ 12.34`, `12.34元`."""
    number = decimal_convert(style)

    def convert(text: str) -> tuple[str, str | None]:
        if _PLAIN.fullmatch(text):
            return number(text), None
        if text[-1:] == "元":
            return number(text[:-1]), "CNY"
        if text[0] in _CURRENCY_MARKS:
            return number(text[1:].strip()), _CURRENCY_MARKS[text[0]]
        for code, rest in ((text[:3], text[3:]), (text[-3:], text[:-3])):
            if code.upper() in MINOR_UNITS:
                return number(rest.strip()), code.upper()
        return number(text), None

    return convert


def date_convert(pattern: str | None) -> Convert:
    expression = _expression(pattern) if pattern else None

    def convert(text: str) -> str:
        found = expression.fullmatch(text) if expression else _year_first(text)
        if found is None:
            raise Bad(f"Not a date as {pattern}." if pattern else "Not a date, YYYY-MM-DD: give the format.")
        return _date_of(found).isoformat()

    return convert


def instant_convert(pattern: str | None, zone: str) -> Convert:
    """RFC 3339, or a local time in the zone of who imports."""
    expression, local = (_expression(pattern) if pattern else None), ZoneInfo(zone)

    def convert(text: str) -> str:
        if expression is None and _ZONED.fullmatch(text):
            return text.replace(" ", "T", 1)
        found = expression.fullmatch(text) if expression else _year_first(text)
        if found is None:
            raise Bad(f"Not a time as {pattern}." if pattern else "Not a time, YYYY-MM-DD HH:MM:SS: give the format.")
        day, given = _date_of(found), found.groupdict()
        try:
            clock = dt.time(int(given.get("H") or 0), int(given.get("m") or 0), int(given.get("s") or 0))
        except ValueError:
            raise Bad("Not a time of the day.") from None
        return f.instant(dt.datetime.combine(day, clock, local).astimezone(dt.UTC))

    return convert


_STAMP = re.compile(f"(?:{_DATE.pattern})(?:{_TIME.pattern})?")


def _year_first(text: str) -> re.Match[str] | None:
    return _STAMP.fullmatch(text)


def _expression(pattern: str) -> re.Pattern[str]:
    """The regular expression of `DD/MM/YYYY`. Raises ValueError for a pattern without day, month and year."""
    parts, at, seen = [], 0, set()
    for token in _TOKEN.finditer(pattern):
        name = _SHORT.get(token[0], token[0])
        if name in seen:
            raise ValueError(pattern)
        seen.add(name)
        parts += [re.escape(pattern[at : token.start()]), _DATE_PARTS.get(name) or _TIME_PARTS[name]]
        at = token.end()
    if not {"MM", "DD"} <= seen or not seen & {"YYYY", "YY"}:
        raise ValueError(pattern)
    return re.compile("".join([*parts, re.escape(pattern[at:])]), re.ASCII)


def _date_of(found: re.Match[str]) -> dt.date:
    given = found.groupdict()
    # Two digits mean the hundred years of which most lie behind us, as PostgreSQL and POSIX read them.
    year = int(given["Y"]) if given.get("Y") else int(given["y"]) + (2000 if int(given["y"]) < 70 else 1900)
    try:
        return dt.date(year, int(given.get("M") or given.get("M2") or 0), int(given.get("D") or given.get("D2") or 0))
    except ValueError:
        raise Bad("Not a date of the calendar.") from None


def convert_of(field: f.Field, style: str | None, zone: str) -> Convert:
    """How a cell of this field is read; `style` is its entry among the mapping's formats.

    Raises ValueError for a style that this kind of field does not know.
    """
    if isinstance(field, f.Money):
        return _money_json(money_convert(style))
    if isinstance(field, f.Integer):
        return _integer(decimal_convert(style))
    if isinstance(field, f.Number):
        return decimal_convert(style)
    if isinstance(field, f.Date):
        return date_convert(style)
    if isinstance(field, f.Instant):
        return instant_convert(style, zone)
    if isinstance(field, f.Boolean):
        return _boolean
    if isinstance(field, f.Choice):
        return _choice(field)
    if isinstance(field, f.Choices):
        one = _choice(f.Choice(field.choices))
        return lambda text: [one(part) for part in _texts(text)]
    if isinstance(field, f.Texts):
        return _texts
    if isinstance(field, (f.Document, f.StringMap, f.Parts, f.Embedded)):
        return _json
    if isinstance(field, (f.Email, f.Currency, f.Code, f.Ref)):
        return str.strip
    return str


def _money_json(convert: Callable[[str], tuple[str, str | None]]) -> Convert:
    def read(text: str) -> Any:
        if text.startswith("{"):
            return _json(text)
        amount, currency = convert(text)
        return {"amount": amount, **({"currency": currency} if currency else {})}

    return read


def _integer(number: Convert) -> Convert:
    def convert(text: str) -> int:
        whole, _, rest = number(text).partition(".")
        if rest.strip("0") or len(whole) > 18:
            raise Bad("Must be a whole number.")
        return int(whole)

    return convert


def _boolean(text: str) -> bool:
    folded = fold(text)
    if folded in YES:
        return True
    if folded in NO:
        return False
    raise Bad("Must be yes or no, true or false, 是 or 否.")


def _choice(field: f.Choice) -> Convert:
    """By its name, or by its label in English or Chinese."""
    known = {fold(label): name for name, labels in field.choices.items() for label in labels}
    known |= {fold(name): name for name in field.choices}

    def convert(text: str) -> str:
        if (name := known.get(fold(text))) is None:
            raise Bad(f"Must be one of: {', '.join(field.choices)}.")
        return name

    return convert


def _texts(text: str) -> Any:
    if text.startswith("["):
        return _json(text)
    return list(dict.fromkeys(part.strip() for part in _SPLIT.split(text) if part.strip()))


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        raise Bad("Must be JSON.") from None
