"""What every refusal has in common: readable, stable, silent about the inside, and without any trace in a table."""

from __future__ import annotations

import re
from typing import Any

from tests.security.world import Answer

_LEAKS = re.compile(r"Traceback|psycopg|sqlalchemy|marshmallow|SELECT |INSERT |\.py\b|Error\(| at 0x|site-packages")
_CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def assert_refused(answer: Answer, status: int, code: str, field: str | None = None) -> None:
    """A problem document of this status and code that names the field at fault."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    body: Any = answer.body
    assert body["status"] == status and body["code"] == code and _CODE.fullmatch(code), answer
    assert body["title"] and body["detail"] and body["correlation_id"], answer
    assert not _LEAKS.search(answer.text), answer
    if field is not None:
        assert any(name == field or name.startswith(f"{field}.") for name in answer.fields), answer
