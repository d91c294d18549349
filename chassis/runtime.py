"""A service at work (`Runtime`): how requests, events, messages and ticks reach its rules."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from marshmallow import ValidationError

from chassis import blobs, idempotency, inborn, inbox, jobs, methods, participant, saga, scanning, timers
from chassis.bus.ports import BusUnavailable, Caller, Endpoint, OutcomeUnknown, Publisher
from chassis.bus.wire import decode
from chassis.clock import Clock
from chassis.context import EVERYTHING, Context, Signer, service_context
from chassis.database import Database, Work
from chassis.definitions import CUSTOM, DEFINED, Definitions
from chassis.errors import Problem, from_validation, is_unavailable, unavailable
from chassis.ids import GENERATED_KEY
from chassis.inbox import NotYet
from chassis.numbering import Numbers
from chassis.records import Store, custom_building, deleting, holding, references
from chassis.records.children import Children
from chassis.service import USER, Reaction, Service
from contracts.children import DECLARED
from contracts.deleting import followed
from contracts.registry import registry
from contracts.values import is_uuid

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
BATCH = 100


class Runtime:
    """A service at work in this process, free of any bus: it takes plain requests, bytes and ticks."""

    def __init__(
        self, definition: type[Service], database: Database, signer: Signer, caller: Caller | None, clock: Clock
    ) -> None:
        self.definition, self.name = definition, definition.name
        self.database, self.signer, self.caller, self.clock = database, signer, caller, clock
        database.service = self
        # Who refers to whom is known once every service's declarations are.
        registry.load()
        self.stores: dict[str, Store[Any]] = {store.name: store for store in definition.stores}
        self.sagas = {one.name: one for one in (*definition.sagas, *inborn.sagas(definition))}
        self.asks = {
            contract.name: (contract, handle) for contract, handle in (*inborn.asks(self.name), *definition.asks)
        }
        self.queries = {query.name: handle for query, handle in definition.queries}
        self.copies: dict[str, tuple[str, ...]] = dict(definition.copies)
        if self.name != "identity" and definition.stores:
            self.copies = {"identity.user": USER, "identity.team": ("name",), **DEFINED} | self.copies
        self._children: dict[tuple[str, str], Children] = {}
        self.definitions, self.numbers = Definitions(), Numbers()
        self.reactions = [*self._copying(), *definition.reactions]
        self.weather = inbox.Weather()
        self.settings: Any = None
        self.blobs: blobs.Store | None = None
        self.scanner: scanning.Scanner | None = None
        self.publisher: Publisher | None = None
        """Set by the launcher where there is a broker; only what is published to outsiders goes this way."""

    def _copying(self) -> Iterable[Reaction]:
        if self.copies:
            types = tuple(f"{record}.*" for record in self.copies)

            def keep_copy(event: JSON, work: Work) -> None:
                record = event["type"].rsplit(".", 1)[0]
                if record == CUSTOM:
                    custom_building.heard(work, event["data"])
                if followed(record, self.name):
                    deleting.follow(work, event, self.copies[record])
                else:
                    references.keep(work, event, self.copies[record])
                if holding.guarded(record):
                    holding.forget(work, record, event["data"]["id"], event["data"]["version"])
                if record in DEFINED:
                    work.committed.append(partial(self.definitions.forget, work.tenant))

            yield Reaction("keep_copy", types, keep_copy)

    def children(self, record: str, kind: str) -> Children | None:
        """The notes or attachments of a kind of record of this service, made when they are first asked for."""
        parent = self.stores.get(record)
        if parent is None or kind not in DECLARED:
            return None
        if (record, kind) not in self._children:
            self._children[record, kind] = Children(kind, parent)
        return self._children[record, kind]

    # --- identity of this service

    def principal(self, tenant: str, cause: str, correlation_id: str = "", causation_id: str = "") -> Context:
        return service_context(self.name, tenant, cause=cause, correlation_id=correlation_id, causation_id=causation_id)

    def fetch(self, work: Work, record: str, record_id: str) -> JSON | None:
        """Another service's record, by one call in a command. A handler never calls: it says `NotYet` and waits."""
        if not self._may_call(work):
            raise NotYet(f"{record} {record_id} is not known here yet")
        return self._ask(work, record.split(".", 1)[0], "record.get", {"record": record, "id": record_id})

    def learn_definitions(self, work: Work) -> bool:
        """Ask identity for the tenant's custom fields and numbering rules, and keep them. False: nobody to ask."""
        if self.name == "identity" or not self._may_call(work):
            return False
        found = self._ask(work, "identity", "identity.definitions", {}) or {}
        for record, documents in found.items():
            for document in documents:
                if record == CUSTOM:
                    custom_building.heard(work, document)
                references.store(work, record, document, self.copies[record])
        return True

    def _may_call(self, work: Work) -> bool:
        return self.caller is not None and work.context.cause.startswith(
            ("request", "command", "bulk", "import", "job")
        )

    def _ask(self, work: Work, service: str, method: str, params: JSON) -> JSON | None:
        context = service_context(self.name, work.tenant, cause="request", correlation_id=work.context.correlation_id)
        try:
            body: JSON = self.ask(
                service, method, params, context, timeout=min(3.0, max(0.1, work.context.time_left()))
            )
        except Problem as problem:
            if problem.status in (308, 404):
                return None
            raise
        return body

    def ask(self, service: str, method: str, params: JSON, context: Context, *, timeout: float = 3.0) -> Any:
        """The body of another service's answer, for commands, timers and jobs: a handler of events never calls.

        Raises the Problem that the other service answered, and 503 where it did not answer within `timeout` seconds.
        """
        assert self.caller is not None
        request = {"method": method, "context": self.signer.sign(context), "params": params}
        try:
            answer = self.caller.call(service, request, timeout=timeout)
        except (BusUnavailable, OutcomeUnknown) as error:
            raise unavailable(f"The {service} service did not answer.") from error
        if "error" in answer:
            raise Problem.read(answer["error"])
        return answer["ok"]["body"]

    def acting_for(self, tenant: str, asker: JSON) -> JSON:
        """What the user who asked for a job may do now: `{user_id, teams, grants, masks, zone, locale}`.

        Raises Problem 403 `asker_gone` when there is no such active user any more.
        """
        if asker["actor"].startswith("service:"):
            return {"user_id": None, "teams": [], "grants": EVERYTHING, "masks": {}}
        context = self.principal(tenant, "job", asker["correlation_id"])
        try:
            body: JSON = self.ask("identity", "identity.context_of", {"user_id": asker["user_id"]}, context, timeout=5)
        except Problem as problem:
            if problem.status == 404:
                raise Problem(403, "asker_gone", "Who asked for this is no longer an active user.") from None
            raise
        return body

    # --- what the bus hands over

    def rpc(self, request: JSON) -> JSON:
        """One request; never raises. Its shape and the methods are those of `chassis.methods`."""
        try:
            context = self.signer.verify(request.get("context"))
            if context.time_left() <= 0:
                raise Problem(504, "deadline_passed", "The time for this request was over before it began.")
            return {"ok": methods.run(self, context, request)}
        except Problem as problem:
            return {"error": problem.document()}
        except ValidationError as error:
            return {"error": from_validation(error).document()}
        except NotYet as error:
            return {"error": unavailable(str(error)).document()}
        except Exception:
            log.exception("request %s failed in %s", request.get("method"), self.name)
            return {"error": Problem(500, "internal", "Something went wrong on our side.").document()}

    def event(self, body: bytes) -> None:
        """One event; see `events`."""
        self.events([body])

    def events(self, bodies: list[bytes]) -> None:
        """Events through the inbox to every reaction that wants them, many in one transaction where nothing fails.

        A heavy reader gets them all and makes its own transactions.
        """
        if self.definition.batch is not None:
            self.definition.batch(self, [decode(body) for body in bodies])
            return
        by_tenant: dict[str, list[inbox.Delivery]] = {}
        for body in bodies:
            event = decode(body)
            if not _complete(event, "id", "tenant", "type", "subject", "correlationid"):
                self._bury(f"evt-{self.name}", body, {}, "The envelope is not complete.")
                continue
            by_tenant.setdefault(event["tenant"], []).extend(self._deliveries(event, body))
        for deliveries in by_tenant.values():
            inbox.accept_all(self.database, deliveries)

    def _deliveries(self, event: JSON, body: bytes) -> Iterable[inbox.Delivery]:
        for reaction in self.reactions:
            if any(matches(pattern, event["type"]) for pattern in reaction.types):
                cause = f"event:{event['id']}:{reaction.name}"
                context = self.principal(event["tenant"], cause, event["correlationid"], event["id"])
                handle = partial(reaction.handle, event)
                yield inbox.Delivery(context, reaction.name, event["id"], event["subject"], event["type"], body, handle)

    def message(self, body: bytes) -> None:
        """A saga's command to this service, or a reply to one of its own sagas."""
        message = decode(body)
        try:
            self._check_identity(message)
        except Problem as problem:
            # A forged sender stays one, however often it is asked: nothing happens, and the evidence is kept.
            self._bury(f"cmd-{self.name}", body, {}, str(problem))
            return
        context = self.principal(message["tenant"], f"saga:{message['saga']}", causation_id=message["id"])
        consumer = "asks" if message["kind"] == "ask" else "replies"
        name = message.get("name", "reply")
        handle = partial(self._handle_message, message)
        delivery = inbox.Delivery(context, consumer, message["id"], f"saga/{message['record_id']}", name, body, handle)
        inbox.accept(self.database, delivery)

    def _check_identity(self, message: JSON) -> None:
        if not _complete(message, "id", "tenant", "kind", "saga", "record_id"):
            raise Problem(400, "bad_message", "The message is not complete.")
        if self.signer.verify(message.get("context")).tenant != message["tenant"]:
            raise Problem(401, "context_refused", "The message's tenant is not its sender's.")

    def _handle_message(self, message: JSON, work: Work) -> None:
        if message["kind"] == "reply":
            saga.on_reply(work, self.sagas, message)
            return
        contract, handle = self.asks[message["name"]]
        request = contract.request.make(contract.request().load(message["body"]))
        outcome: Any
        if not participant.admit(message, work):
            participant.reply(message, self, work, saga.Refused("undone", "The saga had already turned back."))
            return
        try:
            with work.savepoint():
                outcome = handle(request, work)
        except saga.Refused as refusal:
            outcome = refusal
        participant.reply(message, self, work, outcome)

    def retry_due(self) -> int:
        """Try again what is parked and due. Returns how many were tried."""
        foul = self.weather.foul
        rows = inbox.due(self.database, inbox.PROBES if foul else 100)
        by_name = {reaction.name: reaction for reaction in self.reactions}
        for row in rows:
            self._retry(row, by_name, foul)
        return len(rows)

    def _retry(self, row: Any, reactions: dict[str, Reaction], sparing: bool) -> None:
        document = decode(bytes(row.body))
        tenant, event_id = str(row.tenant_id), str(row.event_id)
        handle: Callable[[Work], Any]
        if row.consumer in ("asks", "replies"):
            context = self.principal(tenant, f"saga:{document['saga']}", causation_id=event_id)

            def handle(work: Work) -> None:
                self._handle_message(document, work)
        else:
            context = self.principal(tenant, f"event:{event_id}:{row.consumer}", document["correlationid"], event_id)

            def handle(work: Work) -> None:
                # A reaction that was taken out of the code has nothing left to do with its parked events.
                if row.consumer in reactions:
                    reactions[row.consumer].handle(document, work)

        error = inbox.retry(self.database, context, row.consumer, event_id, handle, sparing=sparing)
        self.weather.saw(event_id, error)

    def sweep_sagas(self) -> int:
        """End the waiting of every saga whose step is overdue. Returns how many there were."""
        with self.database.operations() as connection:
            rows = list(
                connection.exec_driver_sql(
                    "SELECT tenant_id, id, record_id, name FROM sagas WHERE ended_at IS NULL AND due_at <= %s"
                    " ORDER BY due_at LIMIT 100",
                    (self.clock.now(),),
                )
            )
        for row in rows:
            with (
                self._alone(f"saga {row.name}"),
                self.database.work(self.principal(str(row.tenant_id), f"saga:{row.id}")) as work,
            ):
                saga.on_due(work, self.sagas, str(row.id), str(row.record_id), row.name)
        return len(rows)

    def tidy(self) -> None:
        """Let go of kept answers after seven days (an hour, where no client knows the key), of done inbox rows and
        ended jobs after thirty, of unused blobs where their store is not away."""
        now = self.clock.now()
        with self.database.operations() as connection:
            connection.exec_driver_sql(
                "DELETE FROM idempotency WHERE at < %s", (now - dt.timedelta(days=idempotency.KEPT_DAYS),)
            )
            connection.exec_driver_sql(
                "DELETE FROM idempotency WHERE at < %s AND starts_with(key, %s)",
                (now - dt.timedelta(minutes=idempotency.GENERATED_KEPT_MINUTES), GENERATED_KEY),
            )
            inbox.tidy(connection, now)
            jobs.forget(connection, now)
        if self.blobs is not None:
            with self._alone("unused files"):
                blobs.sweep(self.blobs, self.database, self.name, now)

    def anything_due(self) -> bool:
        """Whether a parked event, a saga's step or an alarm is due: one look for the three."""
        now = self.clock.now()
        with self.database.operations() as connection:
            return bool(
                connection.exec_driver_sql(
                    "SELECT EXISTS (SELECT 1 FROM inbox WHERE state = 'parked' AND due_at <= %s)"
                    " OR EXISTS (SELECT 1 FROM sagas WHERE ended_at IS NULL AND due_at <= %s)"
                    " OR EXISTS (SELECT 1 FROM timers WHERE due_at <= %s)",
                    (now, now, now),
                ).scalar()
            )

    def ring_alarms(self) -> int:
        """Let every due alarm have its effect, each in a transaction of its own. Returns how many rang."""
        with self.database.operations() as connection:
            rows = list(
                connection.exec_driver_sql(
                    "SELECT tenant_id, name, key FROM timers WHERE due_at <= %s ORDER BY due_at LIMIT 200",
                    (self.clock.now(),),
                )
            )
        rung = 0
        handlers = {**inborn.ALARMS, **self.definition.alarms}
        for row in rows:
            with (
                self._alone(f"alarm {row.name}"),
                self.database.work(self.principal(str(row.tenant_id), f"timer:{row.name}")) as work,
            ):
                if timers.take(work, row.name, row.key):
                    handlers[row.name](row.key, work)
                    rung += 1
        return rung

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """What fails stays due and is tried again; one that cannot succeed must not hold up the others."""
        try:
            yield
        except Exception as error:
            log.error("%s of %s failed: %s", what, self.name, error, exc_info=not is_unavailable(error))

    def endpoint(self) -> Endpoint:
        """What this service offers to the bus."""
        heavy = self.definition.batch is not None
        return Endpoint(
            service=self.name,
            rpc=self.rpc,
            event=None,
            event_batch=self.events,
            batch_size=self.definition.batch_size if heavy else BATCH,
            single_consumer=heavy,
            event_keys=self.event_keys(),
            message=self.message if self.asks or self.sagas else None,
            undecodable=self._bury,
            generation=self.definition.generation,
        )

    def event_keys(self) -> tuple[str, ...]:
        """Routing keys of what this service listens to. Heavy readers listen to everything."""
        if self.definition.batch is not None:
            return tuple(
                f"{service}.#" for service in sorted({record.service for record in registry.load().records.values()})
            )
        return tuple(sorted({pattern for reaction in self.reactions for pattern in reaction.types}))

    def _bury(self, queue: str, raw: bytes, headers: JSON, reason: str) -> None:
        inbox.bury(self.database, queue, raw, headers, reason)


def _complete(document: Any, *members: str) -> bool:
    """Whether a message has these members as text, and its ids are ids."""
    if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in members):
        return False
    return is_uuid(document["id"]) and is_uuid(document["tenant"])


def matches(pattern: str, kind: str) -> bool:
    """Whether an event type is meant: `sales.order.placed`, `sales.order.*`."""
    return pattern == kind or (pattern.endswith(".*") and kind.rsplit(".", 1)[0] == pattern[:-2])
