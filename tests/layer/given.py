"""What both files of tests share: sites through the gateway, jobs that have run, and which routes a test shows."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.security.world import Answer, Api, World

JSON = dict[str, Any]


def shows(*routes: str) -> Any:
    """The routes below `/v1/sites` that a test shows: `GET /{id}`. It fails where it has not asked each of them."""
    return pytest.mark.shows(*(one.replace(" ", " /v1/sites", 1).rstrip("/") for one in routes))


def fits(template: str, path: str) -> bool:
    """Whether a path is one of a URL template's."""
    pieces, given = template.split("/"), path.split("/")
    return len(pieces) == len(given) and all(
        piece == value or piece.startswith("{") for piece, value in zip(pieces, given, strict=True)
    )


def eur(amount: str) -> JSON:
    return {"amount": amount, "currency": "EUR"}


def site(api: Api, name: str, **more: Any) -> JSON:
    made: JSON = api.post("/v1/sites", {"name": name, **more})
    return made


def three(api: Api) -> list[JSON]:
    """Three sites of two customers, with a value of every kind among them."""
    berlin, paris = (
        api.post("/v1/accounts", {"name": name, "address": {"city": city}})["id"]
        for name, city in (("Adler", "Berlin"), ("Loiseau", "Paris"))
    )
    return [
        site(api, "Ämter", account_id=berlin, seats=10, rent=eur("100.00"), opened_on="2026-02-01", languages=["de"]),
        site(api, "Café Ｘ", account_id=paris, seats=10, rent=eur("20.50"), kind="office", languages=["de", "fr"]),
        site(api, "北京店", seats=3, rent=eur("300"), opened_on="2026-05-01", area="12.5"),
    ]


def look(api: Api, query: str) -> JSON:
    """A page of the list of sites; the query may be Chinese."""
    found: JSON = api.get(f"/v1/sites?{quote(query, safe='=&.,:-*')}")
    return found


def names(page: JSON) -> list[str]:
    return [item["name"] for item in page["items"]]


def job(world: World, api: Api, started: JSON) -> JSON:
    """A job after it has run."""
    world.suite.run_jobs("customer")
    ended: JSON = api.get(f"/v1/jobs/{started['id']}")
    assert ended["state"] == "succeeded", ended
    return ended


def file(api: Api, url: str) -> bytes:
    answer = api.client.simulate_get(url, headers={"Authorization": f"Bearer {api.token}"})
    assert answer.status_code == 200
    return bytes(answer.content)


def refused(answer: Answer, status: int, code: str, *fields: str) -> Answer:
    assert (answer.status, answer.body["code"]) == (status, code), answer
    assert set(fields) <= set(answer.fields), answer
    return answer
