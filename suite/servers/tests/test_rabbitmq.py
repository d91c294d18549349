import json
import os
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode

import pika
import pytest

from suite.servers.process import ServerError, wait_until
from suite.servers.rabbitmq import RabbitMQ


def channel(url):
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 20
    opened = pika.BlockingConnection(parameters).channel()
    opened.confirm_delivery()
    return opened


def put(url, queue, kind="quorum"):
    opened = channel(url)
    opened.queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
    opened.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)
    opened.connection.close()


def take(url, queue):
    opened = channel(url)
    body = opened.basic_get(queue, auto_ack=True)[2]
    opened.connection.close()
    return body


def put_and_let_the_broker_note_the_queue(url, queue, kind, files):
    """As `put`, and wait until the queue stands in the broker's files: `RabbitMQ.kill` says why."""
    put(url, queue, kind)
    (node,) = files.glob("mnesia/guanxi-*@localhost")
    registers = ["LATEST.LOG", "rabbit_durable_queue.*"]

    def noted(*patterns):
        return any(queue.encode() in one.read_bytes() for pattern in patterns for one in node.glob(pattern))

    assert wait_until(lambda: noted(*registers) and (kind == "classic" or noted("quorum/*/names.dets")), 20)


def test_messages_ports_and_user_survive_a_restart(rabbitmq):
    url = rabbitmq.url
    put(url, "restarted")
    assert rabbitmq.restart() == url
    assert take(url, "restarted") == b"kept"


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_a_confirmed_message_survives_the_kill_of_the_broker(rabbitmq, kind, open_folder):
    put_and_let_the_broker_note_the_queue(rabbitmq.url, f"killed-{kind}", kind, open_folder / "rabbitmq" / "server")
    rabbitmq.kill()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        channel(rabbitmq.url)
    rabbitmq.start()
    assert take(rabbitmq.url, f"killed-{kind}") == b"kept"


def test_a_start_replaces_the_node_of_a_launcher_that_was_killed(rabbitmq, open_folder):
    data = open_folder / "orphaned"
    script = (
        "import sys; from pathlib import Path; from suite.servers.rabbitmq import RabbitMQ;"
        "node = RabbitMQ(Path(sys.argv[1])); print(node.start(), node.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        url, orphan = process.stdout.readline().split()
        put(url, "orphaned")
        process.kill()
    node = RabbitMQ(data)
    try:
        assert take(node.start(), "orphaned") == b"kept"
        assert node.pid != int(orphan)
    finally:
        node.remove()
    assert not data.exists()


def test_users_are_managed_by_rabbitmqctl(rabbitmq):
    rabbitmq.ctl("add_user", "erp", "secret")
    rabbitmq.ctl("set_permissions", "-p", "guanxi", "erp", "^erp", "^erp", "^feed")
    opened = channel(rabbitmq.url.replace(rabbitmq.url.split("@")[0], "amqp://erp:secret"))
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        opened.queue_declare("sales")


def test_a_refused_rabbitmqctl_command_says_why(rabbitmq):
    with pytest.raises(ServerError, match="does not exist"):
        rabbitmq.ctl("set_permissions", "-p", "guanxi", "nobody", ".*", ".*", ".*")


def test_the_management_api_answers_the_same_user_where_it_is_asked_for(rabbitmq, open_folder):
    with pytest.raises(ServerError, match="without its management API"):
        _ = rabbitmq.management_url
    node = RabbitMQ(open_folder / "managed", management=True)
    try:
        node.start()
        credentials, address = node.management_url.removeprefix("http://").split("@")
        headers = {"Authorization": "Basic " + b64encode(credentials.encode()).decode()}
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}/api/whoami", headers=headers)) as answer:
            assert json.load(answer)["name"] == "guanxi"
    finally:
        node.remove()


def test_a_wrong_password_is_refused(rabbitmq):
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        channel(rabbitmq.url.replace(rabbitmq.url.split("@")[0], "amqp://guanxi:guess"))


def test_two_launchers_cannot_hold_one_folder(rabbitmq, open_folder):
    with pytest.raises(ServerError, match="in use by the process"):
        RabbitMQ(open_folder / "rabbitmq").start()


def test_the_node_is_in_a_session_of_its_own_and_not_run_by_root(rabbitmq):
    assert os.getsid(rabbitmq.pid) == rabbitmq.pid
    assert os.stat(f"/proc/{rabbitmq.pid}").st_uid != 0


def test_a_paused_node_goes_on_where_it_was(rabbitmq):
    put(rabbitmq.url, "paused")
    os.kill(rabbitmq.pid, signal.SIGSTOP)
    os.kill(rabbitmq.pid, signal.SIGCONT)
    assert take(rabbitmq.url, "paused") == b"kept"
