"""What `bus.start` promises to every service process."""

import socket
import threading
import time

import psycopg2
import psycopg2.extensions
import pytest

from chassis import bus
from chassis.bus.transport import connect


def test_a_started_process_has_green_database_calls_and_starting_again_is_harmless():
    bus.start()
    assert bus.started()
    assert psycopg2.extensions.get_wait_callback() is not None


def test_offloaded_work_leaves_the_other_green_threads_running():
    import eventlet.patcher

    block = eventlet.patcher.original("time").sleep
    beats = []

    def beat():
        while len(beats) < 5:
            beats.append(time.monotonic())
            time.sleep(0.01)

    beating = threading.Thread(target=beat)
    beating.start()
    begin = time.monotonic()
    bus.offload(block, 0.5)
    assert len(beats) == 5
    assert beats[-1] - begin < 0.4
    beating.join()


def test_offloaded_work_returns_and_raises_as_if_called():
    assert bus.offload(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        bus.offload(divmod, 1, 0)


def test_an_unknown_kind_of_bus_is_refused():
    with pytest.raises(ValueError, match="redis"):
        connect("redis://localhost")


def test_an_unknown_kind_of_work_is_refused():
    with pytest.raises(ValueError, match="relays"):
        connect("inprocess://kinds").serve([], {"relays"})


def test_a_database_that_accepts_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(bus, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with pytest.raises(psycopg2.OperationalError, match="did not answer"):
            psycopg2.connect(host="127.0.0.1", port=silent.getsockname()[1], user="nobody", sslmode="disable")
        assert time.monotonic() - begin < 5


def test_a_server_that_is_there_ends_a_statement_before_the_client_gives_up_and_that_not_much_later(suite_of):
    database = suite_of("customer").runtime("customer").database
    for engine in (database.app, database.ops):
        with engine.connect() as connection:
            setting = "SELECT extract(epoch FROM current_setting('statement_timeout')::interval)"
            limit = float(connection.exec_driver_sql(setting).scalar())
        assert 0 < limit < bus.ANSWER_SECONDS <= 2 * limit
