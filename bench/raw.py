"""The limits of the same machine in the same run: what the parts do with nothing of ours around them."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import amqp
import psycopg2

from bench.load import wrk
from suite.servers.process import free_ports

APP = """
import os, sys, threading
import falcon, orjson, psycopg2
sys.setswitchinterval(0.0005)
local = threading.local()
class Empty:
    def on_get(self, req, resp):
        resp.data = b'{}'
        resp.content_type = "application/json"
class Row:
    def on_get(self, req, resp):
        if not hasattr(local, "cursor"):
            connection = psycopg2.connect(os.environ["RAW_DSN"]); connection.autocommit = True
            local.cursor = connection.cursor()
        local.cursor.execute(
            "SELECT id::text, name, version FROM accounts WHERE tenant_id = %s AND id = %s",
            (os.environ["RAW_TENANT"], os.environ["RAW_ID"]),
        )
        row = local.cursor.fetchone()
        resp.data = orjson.dumps({"id": row[0], "name": row[1], "version": row[2]})
        resp.content_type = "application/json"
app = falcon.App()
app.add_route("/empty", Empty())
app.add_route("/row", Row())
"""


def http(dsn: str, tenant: str, record_id: str, seconds: int) -> dict[str, Any]:
    """An empty Falcon route, and one with one SQL statement, under gunicorn as the gateway runs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "raw_app.py").write_text(APP)
        port = free_ports(1)[0]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-k",
                "gthread",
                "--threads",
                "16",
                "-b",
                f"127.0.0.1:{port}",
                "raw_app:app",
            ],
            cwd=folder,
            env={**os.environ, "RAW_DSN": dsn, "RAW_TENANT": tenant, "RAW_ID": record_id},
            stderr=subprocess.DEVNULL,
        )
        try:
            _await(port)
            return {name: wrk(f"http://127.0.0.1:{port}/{name}", seconds) for name in ("empty", "row")}
        finally:
            process.terminate()
            process.wait()


def _await(port: int) -> None:
    import socket

    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the raw server did not start")


def _callee(url: dict[str, Any], ready: Any) -> None:
    connection = amqp.Connection(**url)
    connection.connect()
    channel = connection.channel()
    channel.queue_declare("raw-rpc", durable=False, auto_delete=True, exclusive=False)
    channel.basic_qos(0, 50, False)

    def answer(message: Any) -> None:
        reply = amqp.Message(message.body, correlation_id=message.properties["correlation_id"])
        channel.basic_publish(reply, "", message.properties["reply_to"])
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume("raw-rpc", callback=answer)
    ready.set()
    while True:
        connection.drain_events()


def amqp_rpc(url: str, calls: int = 3000) -> float:
    """Calls per second of one thread: direct reply-to, transient, no confirms."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    options = {
        "host": f"{parts.hostname}:{parts.port}",
        "userid": parts.username,
        "password": parts.password,
        "virtual_host": parts.path.lstrip("/") or "/",
    }
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    callee = context.Process(target=_callee, args=(options, ready), daemon=True)
    callee.start()
    ready.wait(20)
    connection = amqp.Connection(**options)
    connection.connect()
    channel = connection.channel()
    got: list[Any] = []
    channel.basic_consume("amq.rabbitmq.reply-to", no_ack=True, callback=got.append)
    began = time.perf_counter()
    for number in range(calls):
        message = amqp.Message(b"{}", reply_to="amq.rabbitmq.reply-to", correlation_id=str(number))
        channel.basic_publish(message, "", "raw-rpc")
        while len(got) <= number:
            connection.drain_events()
    rate = calls / (time.perf_counter() - began)
    connection.close()
    callee.terminate()
    callee.join()
    return rate


def order_transaction(dsn: str, seconds: int = 8, clients: int = 8) -> dict[str, float]:
    """A hand-written order: one row, three lines, three stock rows locked and updated, one outbox row, one commit."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE raw_orders (id bigserial PRIMARY KEY, total numeric);"
        "CREATE TABLE raw_lines (order_id bigint, product int, quantity numeric);"
        "CREATE TABLE raw_stock (product int PRIMARY KEY, on_hand numeric);"
        "CREATE TABLE raw_outbox (id bigserial PRIMARY KEY, body text);"
        "INSERT INTO raw_stock SELECT n, 1000000000 FROM generate_series(1, 1000) n"
    )
    times: list[float] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        own = psycopg2.connect(dsn)
        step = 0
        with own.cursor() as mine:
            while time.monotonic() < end:
                began = time.perf_counter()
                products = sorted({(number * 131 + step * 17 + k * 29) % 1000 + 1 for k in range(3)})
                mine.execute("INSERT INTO raw_orders (total) VALUES (10) RETURNING id")
                order = mine.fetchone()[0]
                mine.execute("INSERT INTO raw_lines SELECT %s, unnest(%s), 1", (order, products))
                mine.execute(
                    "SELECT product FROM raw_stock WHERE product = ANY(%s) ORDER BY product FOR UPDATE", (products,)
                )
                mine.execute("UPDATE raw_stock SET on_hand = on_hand - 1 WHERE product = ANY(%s)", (products,))
                mine.execute("INSERT INTO raw_outbox (body) VALUES ('{}')")
                own.commit()
                times.append(time.perf_counter() - began)
                step += 1
        own.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cursor.execute("DROP TABLE raw_orders, raw_lines, raw_stock, raw_outbox")
    connection.close()
    return {"rate": len(times) / seconds, "p50": statistics.median(times) * 1000}
