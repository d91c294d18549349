"""English and Chinese: which one a request asks for, and what labels and refusals say in it.

Refusals are written in English where they are raised. Their Chinese is found by the message's own text, so that no
service needs to know for whom it speaks; what is not found there is told by its code.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import falcon

from contracts import fields as f
from contracts.registry import registry
from gateway import answers
from gateway.chinese import CODES, MESSAGES, TITLES, WORDS

JSON = dict[str, Any]
LANGUAGES = ("en", "zh")
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")


def asked(req: falcon.Request) -> str:
    """The language that `Accept-Language` (RFC 9110, 12.5.4) prefers; English where it says nothing that is here."""
    best, weight = "en", 0.0
    for part in (req.get_header("Accept-Language") or "").split(",")[:20]:
        found = _RANGE.fullmatch(part)
        if found and found[1].lower() in (*LANGUAGES, "*"):
            quality = float(found[2]) if found[2] else 1.0
            if quality > weight:
                best, weight = "zh" if found[1].lower() == "zh" else "en", quality
    return best


def answered(resp: falcon.Response, language: str) -> None:
    resp.set_header("Content-Language", language)
    resp.append_header("Vary", "Accept-Language")


def labelled(document: Any, language: str) -> Any:
    """The document with `text` beside `en` and `zh` in every label: the words in the language that was asked for."""
    if isinstance(document, list):
        return [labelled(item, language) for item in document]
    if not isinstance(document, dict):
        return document
    if document.keys() == {"en", "zh"}:
        return {**document, "text": document[language]}
    return {name: labelled(value, language) for name, value in document.items()}


def send_history(req: falcon.Request, resp: falcon.Response, ok: JSON) -> None:
    """Send a page of history: why is told in the language that was asked for, and values stay what they were."""
    language, body = asked(req), ok["body"]
    answered(resp, language)
    items = [{**item, "why": labelled(item["why"], language)} for item in body["items"]]
    answers.send(resp, {**ok, "body": {**body, "items": items}})


def problem(members: JSON) -> JSON:
    """A problem document in Chinese."""
    told = {**members, "title": TITLES.get(members["status"], members["title"])}
    told["detail"] = _sentence(members["detail"]) or CODES.get(members["code"], members["detail"])
    if "errors" in members:
        told["errors"] = [
            {**error, "message": _sentence(error["message"]) or CODES.get(members["code"], CODES["invalid"])}
            for error in members["errors"]
        ]
    return told


def _sentence(message: str) -> str | None:
    exact = MESSAGES.get(message)
    if exact is not None:
        return exact
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(message)
        if found:
            return chinese.format(*(_word(part) for part in found.groups()))
    return None


def _word(part: str) -> str:
    return _words().get(part) or _sentence_of(part) or part


def _sentence_of(part: str) -> str | None:
    # Some messages carry another one behind a colon.
    return _sentence(part) if part.endswith(".") and " " in part else None


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Templates as patterns, those that say most themselves first."""
    varying = sorted((text for text in MESSAGES if "{}" in text), key=lambda text: -len(text))
    return [
        (re.compile("(.*?)".join(re.escape(piece) for piece in _plain(text).split("{}")), re.DOTALL), MESSAGES[text])
        for text in varying
    ]


def _plain(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


@cache
def _words() -> dict[str, str]:
    """Words of the declarations that messages are made with: records, collections and states."""
    words: dict[str, str] = {}
    for record in registry.load().records.values():
        words[record.singular] = words[record.collection] = record.record_label[1]
        for field in record.declared().values():
            if isinstance(field, f.State):
                for state, label in field.choices.items():
                    words.setdefault(state, label[1])
    return {**words, **WORDS}
