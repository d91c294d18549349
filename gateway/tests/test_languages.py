"""Refusals in Chinese: every code and every message of the code has words of its own, with Han characters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import languages
from gateway.chinese import CODES, MESSAGES

ROOT = Path(__file__).parents[2]
HAN = re.compile("[\u4e00-\u9fff]")
# Where a message stands in a call that refuses, and where the code.
MESSAGE_AT = {"conflict": 1, "invalid": 0, "bad_request": 1, "bad": 1, "unavailable": 0, "Problem": 2, "fail": 0}
MESSAGE_AT |= {"ValidationError": 0, "Refused": 1}
CODE_AT = {"Problem": 1, "conflict": 0, "bad_request": 0}
# Messages for programmers and for tests, which no request meets.
OWN = {"The test that asked for this has ended.", "", "{}", "unknown"}
# Wrong settings are told to operators.
OWN |= {
    "Must be a number of attempts and a time, such as 5/minute.",
    "Must be postgresql://user:password@host:port/postgres.",
}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for room in ("contracts", "chassis", "services", "gateway"):
        for path in (ROOT / room).rglob("*.py"):
            if not {"tests", "versions"} & set(path.parts):
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Call):
                        yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def texts(node: ast.expr) -> list[str]:
    """The texts that an expression of a message may have; what varies in them is `{}`."""
    if isinstance(node, ast.Constant):
        return [node.value.replace("{", "{{").replace("}", "}}")] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        pieces = [texts(part)[0] if isinstance(part, ast.Constant) else "{}" for part in node.values]
        return ["".join(pieces)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    if isinstance(node, ast.Dict):
        return [text for value in node.values for text in texts(value)]
    if isinstance(node, ast.List):
        return [text for value in node.elts for text in texts(value)]
    if isinstance(node, ast.DictComp):
        return texts(node.value)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fromkeys":
        return texts(node.args[1])
    return []


def messages() -> set[str]:
    found = {text for name, call in calls() if name in MESSAGE_AT for text in _at(call, MESSAGE_AT[name])}
    found |= {text for name, call in calls() if name == "invalid" for text in _at(call, 1)}
    return found - OWN


def _at(call: ast.Call, place: int) -> list[str]:
    return texts(call.args[place]) if len(call.args) > place else []


def codes() -> set[str]:
    found = {text for name, call in calls() if name in CODE_AT for text in _at(call, CODE_AT[name])}
    for name, call in calls():
        for keyword in call.keywords:
            if keyword.arg == "code" or (name == "Command" and keyword.arg == "errors"):
                values = keyword.value.elts if isinstance(keyword.value, ast.Tuple) else [keyword.value]
                found |= {text for value in values for text in texts(value)}
    return {code for code in found if re.fullmatch("[a-z_]+", code)}


def test_every_code_has_chinese_words() -> None:
    assert sorted(codes() - CODES.keys()) == []
    assert [code for code, words in CODES.items() if not HAN.search(words)] == []


def test_every_message_has_chinese_words() -> None:
    known = {text.replace("{{", "{").replace("}}", "}") for text in MESSAGES}
    assert sorted(text for text in messages() if text.replace("{{", "{").replace("}}", "}") not in known) == []
    bare = {"{}: {}", "items.{}: {}"}
    assert [text for text, words in MESSAGES.items() if not HAN.search(words) and text not in bare] == []


def test_a_chinese_message_has_every_part_that_varies() -> None:
    uneven = [text for text, words in MESSAGES.items() if _places(text) < _places(words)]
    assert uneven == []


def _places(text: str) -> int:
    return text.replace("{{", "").replace("}}", "").count("{}")


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("At most 5 characters.", "最多 5 个字符。"),
        ("There is no such order.", "没有这样的订单。"),
        ("This order is draft and cannot become shipped.", "这条订单的状态为草稿，不能变为已发货。"),
        ("total: Must be at least 3.", "total：不能小于 3。"),
        ("A lead that is converted is not edited.", "已转化的线索不能修改。"),
    ],
)
def test_a_message_is_told_in_chinese_with_what_varies_in_it(english: str, chinese: str) -> None:
    told = languages.problem({"status": 422, "code": "invalid", "title": "x", "detail": english})
    assert told["detail"] == chinese


def test_a_message_that_nobody_translated_is_told_by_its_code() -> None:
    error = {"field": "name", "message": "Brand new."}
    told = languages.problem({"status": 409, "code": "stock", "title": "x", "detail": "New.", "errors": [error]})
    assert (told["title"], told["detail"]) == ("冲突", "库存不足。")
    assert told["errors"] == [{"field": "name", "message": CODES["stock"]}]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.5, ZH-Hans;q=0.7", "zh"),
        ("fr, en;q=0.1", "en"),
        ("zh;q=0", "en"),
        ("nonsense;;, zh;q=2", "en"),
    ],
)
def test_the_language_that_is_preferred_most_is_spoken(client: Any, header: str, language: str) -> None:
    headers = {"Accept-Language": header} if header else {}
    answer = client.simulate_get("/v1/unicorns", headers=headers)
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    assert bool(HAN.search(answer.json["detail"])) == (language == "zh")


def test_metadata_speaks_the_language_and_is_sent_once(client: Any) -> None:
    orders = client.simulate_get("/v1/metadata/orders", headers={"Accept-Language": "zh"})
    assert orders.json["label"] == {"en": "Order", "zh": "订单", "text": "订单"}
    again = client.simulate_get(
        "/v1/metadata/orders", headers={"Accept-Language": "zh", "If-None-Match": orders.headers["ETag"]}
    )
    assert (again.status_code, again.text) == (304, "")
    assert client.simulate_get("/v1/metadata/orders").headers["ETag"] != orders.headers["ETag"]
