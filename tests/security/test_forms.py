"""A frontend that knows nothing but the metadata draws a form and a filter bar for every collection, and sends them.

What it may not foresee are rules of the business; whatever metadata says must not be refused as invalid or unknown.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest

from chassis.ids import new_id
from contracts.registry import registry
from tests.security.examples import SPECIAL, Examples
from tests.security.shop import Shop
from tests.security.world import World

JSON = dict[str, Any]
COLLECTIONS = sorted(registry.load().collections)
LIES = {"invalid", "unknown_parameter", "unknown_operator", "not_filterable", "not_sortable", "bad_parameter"}
MOMENT = "2026-11-23T08:00:00Z"


@pytest.fixture(scope="module")
def forms(world: World, shop: Shop) -> Forms:
    examples = Examples(shop)
    for name in registry.records:
        # Some kinds of records only come of rules that nothing here sets off; nothing refers to them either.
        with suppress(AssertionError):
            examples.id_of(name)
    shop.api.post(
        "/v1/custom-fields",
        {"applies_to": "accounts", "name": "budget", "type": "money", "label": {"en": "Budget"}, "required": True},
    )
    for kind in ("text", "number", "date", "instant", "boolean"):
        field = {"applies_to": "accounts", "name": f"a_{kind}", "type": kind, "label": {"en": kind}}
        shop.api.post("/v1/custom-fields", field)
    choices = [{"value": "red", "label": {"en": "Red", "zh": "红"}}]
    for kind in ("choice", "multi_choice"):
        field = {"applies_to": "accounts", "name": f"a_{kind}", "type": kind, "label": {"en": kind}}
        shop.api.post("/v1/custom-fields", {**field, "choices": choices})
    world.settle()
    return Forms(shop)


class Forms:
    """Draws with what `/v1/metadata` says, and with nothing else."""

    def __init__(self, shop: Shop) -> None:
        self.api = shop.api
        self.described = {one["collection"]: one for one in shop.api.get("/v1/metadata")["items"]}

    def body(self, collection: str, *, everything: bool) -> JSON:
        described = self.described[collection]
        body: JSON = {}
        for field in described["fields"]:
            special = SPECIAL.get((described["name"], field["name"]))
            if special is not None:
                body[field["name"]] = special() if callable(special) else special
            elif field["writable"]["create"] and (field["required"] or (everything and field["type"] != "document")):
                body[field["name"]] = self.value(field)
        custom = {
            field["key"]: self.value(field) for field in described["custom_fields"] if everything or field["required"]
        }
        return body | ({"custom": custom} if custom else {})

    def value(self, field: JSON) -> Any:
        kind = field["type"]
        if kind in ("parts", "embedded"):
            inner = {one["name"]: self.value(one) for one in field["fields"] if one["required"] and not one["computed"]}
            return [inner] * max(field["at_least"], 1) if kind == "parts" else inner
        if kind == "texts":
            return []
        if kind in ("choices", "choice"):
            first = field["choices"][0]["value"]
            return [first] if kind == "choices" else first
        if kind in ("document", "stringmap"):
            return {}
        if kind == "ref":
            items = self.api.get(f"/v1/{field['target_collection']}?limit=1")["items"]
            return items[0]["id"]
        if kind == "money":
            return {"amount": "1.00", "currency": "USD"}
        if kind == "boolean":
            return False
        if kind == "integer":
            return max(field["least"], 1)
        if kind == "value":
            return None
        return self.text(field)

    def text(self, field: JSON) -> str:
        """The value as text, which is how filters take it."""
        kind = field["type"]
        if kind in ("choice", "choices", "state"):
            return str(field["choices"][0]["value"])
        if kind in ("money", "number", "quantity", "percent", "integer"):
            return "1"
        fixed = {
            "date": "2026-11-23",
            "instant": MOMENT,
            "boolean": "true",
            "currency": "USD",
            "email": "a@example.com",
        }
        if kind in fixed:
            return f"x{new_id()}@example.com" if kind == "email" else fixed[kind]
        if kind in ("ref", "id"):
            return new_id()
        word = f"x{new_id().replace('-', '')}"[: field.get("max", 20)]
        fits = re.compile(field.get("pattern", ".*"), re.ASCII)
        return next(text for text in (word, f"account/{new_id()}", "A1") if fits.fullmatch(text))


@pytest.mark.parametrize("everything", [False, True], ids=["what is required", "everything"])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_form_that_is_drawn_from_metadata_is_not_refused_for_its_shape(
    forms: Forms, collection: str, everything: bool
) -> None:
    if forms.described[collection]["access"].get("create") is None:
        pytest.skip("nobody creates these")
    answer = forms.api.send("POST", f"/v1/{collection}", forms.body(collection, everything=everything))
    # A rule of the business may refuse what is put together by chance; then it says so with a code or field of its own.
    assert answer.status == 201 or answer.body["code"] not in LIES or everything, str(answer)
    if answer.status == 422 and everything:
        known = {field["name"] for field in forms.described[collection]["fields"]}
        assert {error["field"].split(".")[0] for error in answer.body["errors"]} <= known, str(answer)
        assert not any("Unknown field" in error["message"] for error in answer.body["errors"]), str(answer)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_filter_and_sort_that_metadata_offers_is_taken(forms: Forms, collection: str) -> None:
    described = forms.described[collection]
    fields = [*described["fields"], *described["custom_fields"]]
    pairs = []
    for field in fields:
        for operator in field["filters"]:
            value = {"empty": "true", "within": "this-quarter"}.get(operator) or forms.text(field)
            pairs.append(f"{field['name']}.{operator}={quote(value)}")
    for start in range(0, len(pairs), 40):
        answer = forms.api.send("GET", f"/v1/{collection}?{'&'.join(pairs[start : start + 40])}")
        assert answer.status == 200 or answer.body["code"] == "row_budget", str(answer)
    for field in fields:
        if field["sort"]:
            answer = forms.api.send("GET", f"/v1/{collection}?limit=1&sort=-{field['name']}")
            assert answer.status == 200 or answer.body["code"] == "row_budget", str(answer)
    known = {field["name"] for field in fields}
    assert set(described["columns"]) <= known
