"""The form of documents: what a record's fields are made into. Documents of another form are made anew by a rebuild.

It follows from the declarations of what is searched, and from what the code makes of some names, numbers and dates: so
a release that folds, cuts or weighs words otherwise has another form without anybody thinking of it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import orjson

from services.search.mapping import EXTERNAL, Searchable, document_of, searchables

JSON = dict[str, Any]

EDITION = 1
"""Raised where documents change in a way that neither the declarations nor the samples below show."""
SAMPLES = (
    "Müller & Söhne Straßenbau GmbH",
    "Łódź Trading S.A. de C.V.",
    "ＡＢＣ　Ltd. O'Neill-Smith Co.",
    "上海通力電梯有限公司",
    "重庆银行股份有限公司",
    "曾國藩 单于",
    "+49 (0)30 123-456 78",
    "13800138000",
    "ada.lovelace@mail.example.com",
    "SO-2026-00042",
    "2026-03-31",
)


@cache
def form() -> str:
    """Eight hexadecimal digits."""
    told: list[Any] = [EDITION]
    for one in sorted(searchables().values(), key=lambda one: one.record):
        told.append([one.record, one.weights, sorted(one.keys), one.title, one.subtitle, one.facets])
        for sample in SAMPLES:
            document = document_of(_event(one, sample))
            if document is not None:
                told.append([sorted(document.words), document.title_key, document.facets])
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def _event(one: Searchable, sample: str) -> JSON:
    """An event of a record that has the sample in every field."""
    data = dict.fromkeys((*one.weights, *one.facets), sample)
    return {
        "type": f"{one.record}.created",
        "subject": f"{one.type}/1",
        "version": 1,
        "time": "2026-01-01T00:00:00Z",
        "data": {**data, EXTERNAL: {"sample": sample}},
    }
