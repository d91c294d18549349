"""Keep a small ledger of orders and receivables in step with Guanxi, from the events of one subscription.

python subscriber.py --url amqp://feed-…:…@host:5672/guanxi --exchange feed.<tenant>.<id> --ledger ledger.db
"""

import argparse
import json
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pika
from jsonschema import Draft202012Validator, FormatChecker
from pika.exceptions import AMQPError

KEYS = ("sales.order.*", "sales.receivable.*")
PAUSE = 2
SCHEMAS = Path(__file__).resolve().parents[2] / "contracts" / "published" / "events"
TABLES = """
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, type TEXT, problem TEXT);
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, kind TEXT, version INTEGER, number TEXT, account_id TEXT,
  status TEXT, currency TEXT, amount TEXT, open TEXT, deleted_at TEXT);
"""


def problem_of(event, schemas):
    """Why the data of an event is not what its published schema says, or None."""
    path = schemas / f"{event['type']}.schema.json"
    if not path.is_file():
        return f"no schema of {event['type']} is known here"
    validator = Draft202012Validator(json.loads(path.read_text("utf-8")), format_checker=FormatChecker())
    error = next(validator.iter_errors(event["data"]), None)
    return error and f"{error.json_path}: {error.message}"


def take(ledger, event, schemas):
    """One event in one transaction. A repeat finds its id noted; what is older than the ledger's version is stale."""
    problem = problem_of(event, schemas)
    with ledger:
        noted = ledger.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (event["id"], event["type"], problem))
        if not noted.rowcount or problem:
            return problem
        data, kind = event["data"], event["subject"].split("/")[0]
        money, owed = data.get("total" if kind == "order" else "amount") or {}, data.get("open") or {}
        row = (data["id"], kind, data["version"], data.get("number"), data.get("account_id"), data.get("status"))
        ledger.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " version = excluded.version, number = excluded.number, account_id = excluded.account_id,"
            " status = excluded.status, currency = excluded.currency, amount = excluded.amount, open = excluded.open,"
            " deleted_at = excluded.deleted_at WHERE excluded.version > documents.version",
            (*row, money.get("currency"), money.get("amount"), owed.get("amount"), data.get("deleted_at")),
        )
    return None


def listen(options, ledger):
    """Consume until the connection is lost, or with `--drain` until nothing more comes."""
    connection = pika.BlockingConnection(pika.URLParameters(options.url))
    channel = connection.channel()
    queue = f"{options.exchange}.q.{options.name}"
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for key in KEYS:
        channel.queue_bind(queue, options.exchange, key)
    channel.basic_qos(prefetch_count=50)
    print("listening", queue, flush=True)
    for method, _, body in channel.consume(queue, inactivity_timeout=options.drain):
        if method is None:
            connection.close()
            return
        problem = take(ledger, event := json.loads(body), options.schemas)
        # Only what the ledger holds is acknowledged: a crash before this line brings the event again.
        channel.basic_ack(method.delivery_tag)
        print("refused" if problem else "taken", event["type"], event["id"], problem or "", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="`amqp_url` of the subscription")
    parser.add_argument("--exchange", required=True, help="`exchange` of the subscription")
    parser.add_argument("--ledger", required=True, help="SQLite file; made if missing")
    parser.add_argument("--name", default="erp", help="last word of the queue's name")
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="folder of the published event schemas")
    parser.add_argument("--drain", type=float, metavar="SECONDS", help="end when nothing came for so long")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ledger = sqlite3.connect(options.ledger)
    ledger.executescript(TABLES)
    while True:
        try:
            return listen(options, ledger)
        except (AMQPError, OSError) as error:
            print(f"lost: {error!r}; next attempt in {PAUSE} s", file=sys.stderr, flush=True)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
