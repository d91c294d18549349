"""Falcon resources made of functions, so that a route has exactly the methods that its record declares."""

from __future__ import annotations

from collections.abc import Callable

Responder = Callable[..., None]


class Route:
    """One URL template and its responders: `Route("/v1/me", get=…)`. `public` routes need nobody signed in."""

    def __init__(self, path: str, *, public: bool = False, **responders: Responder) -> None:
        self.path, self.public = path, public
        for method, responder in responders.items():
            setattr(self, f"on_{method}", responder)
