"""The gateway as one WSGI app. Its collaborators are handed in, so that every way to run it uses the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import falcon

import contracts
from chassis import blobs
from chassis.bus.ports import Caller
from chassis.context import Signer
from contracts.registry import registry
from gateway import problems
from gateway.admin import Admin
from gateway.attachments import Attachments
from gateway.authentication import Authenticator
from gateway.children import Children
from gateway.edge import Edge
from gateway.imports import Imports
from gateway.jobs import Jobs
from gateway.metadata import Metadata
from gateway.metrics import Metrics
from gateway.records import Collection
from gateway.routes import Route
from gateway.rpc import Services
from gateway.search import Search
from gateway.sessions import Attempts, Session, SignIn
from gateway.settings import Settings
from gateway.streams import Events, Pace
from gateway.system import Readiness, System

PUBLISHED = Path(contracts.__file__).parent / "published"


def create_app(
    caller: Caller,
    signer: Signer,
    settings: Settings,
    *,
    readiness: Readiness = dict,
    essential: frozenset[str] | None = None,
    streams: bool = False,
    pace: Pace = Pace(),
    published: Path = PUBLISHED,
    measurements: Callable[[], bytes] = bytes,
) -> falcon.App:
    """The app. `streams` says that this process is the one whose `streams_url` the settings name.

    `readiness` answers `{dependency: whether it is there}` for `/readyz`; without it only the process itself counts.
    Of these the `essential` ones decide, by default all.
    """
    registry.load()
    services = Services(caller, signer)
    authenticator = Authenticator(services, settings, pace.monotonic)
    metrics = Metrics(settings.metrics_folder, measurements)
    app = falcon.App(middleware=[Edge(settings, authenticator, metrics)])
    problems.install(app)
    for route in _system_routes(System(readiness, essential, metrics, published)):
        app.add_route(route.path, route)
    for route in _fixed_routes(services, authenticator, settings, streams, pace):
        app.add_route(route.path, route)
    store = blobs.connect(settings.blobs or blobs.default_location())
    for route in _job_routes(Jobs(services, registry, store)):
        app.add_route(route.path, route)
    notes, attachments = Children("note", services), Attachments(services, store, settings)
    for record in registry.collections.values():
        for route in (
            *Collection(record, registry, services).routes(),
            *Imports(record, services, store, settings).routes(),
            *notes.routes(record),
            *attachments.routes(record),
        ):
            app.add_route(route.path, route)
    return app


def _system_routes(system: System) -> Iterator[Route]:
    yield Route("/livez", public=True, get=system.livez)
    yield Route("/readyz", public=True, get=system.readyz)
    yield Route("/metrics", public=True, get=system.metrics)
    yield Route("/openapi.json", public=True, get=system.openapi)
    yield Route("/asyncapi.json", public=True, get=system.asyncapi)
    yield Route("/docs", public=True, get=system.docs)
    yield Route("/docs/{asset}", public=True, get=system.asset)


def _fixed_routes(
    services: Services, authenticator: Authenticator, settings: Settings, streams: bool, pace: Pace
) -> Iterator[Route]:
    sign_in = SignIn(services, authenticator, settings, Attempts(settings))
    yield Route("/v1/auth/login", public=True, post=sign_in.login)
    yield Route("/v1/auth/refresh", public=True, post=sign_in.refresh)
    session = Session(services, authenticator)
    yield Route("/v1/auth/logout", post=session.logout)
    yield Route("/v1/me", get=session.me)
    metadata = Metadata(registry, services, settings)
    yield Route("/v1/metadata", get=metadata.list)
    yield Route("/v1/metadata/{collection}", get=metadata.one)
    yield from Search(services).routes()
    events = Events(services, authenticator, settings, streams, pace)
    yield Route("/v1/events", get=events.page)
    yield Route("/v1/events/stream", get=events.stream)
    yield from Admin(services).routes()


def _job_routes(jobs: Jobs) -> Iterator[Route]:
    yield Route("/v1/jobs", get=jobs.list)
    yield Route("/v1/jobs/{id}", get=jobs.get)
    for verb in ("cancel", "run", "undo"):
        yield Route(f"/v1/jobs/{{id}}/{verb}", post=jobs.command(verb))
    yield Route("/v1/jobs/{id}/result", get=jobs.file("result"))
    yield Route("/v1/jobs/{id}/errors", get=jobs.file("errors"))
