import json
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from suite.servers import elasticsearch as module
from suite.servers.elasticsearch import Elasticsearch
from suite.servers.process import ServerError


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    if not module.available():
        if os.environ.get("CI"):
            pytest.fail("Elasticsearch is not installed, and CI must not pass without it")
        pytest.skip("NOT TESTED: no Elasticsearch here; python -m suite.servers.elasticsearch fetches it")
    started = Elasticsearch(tmp_path_factory.mktemp("elasticsearch") / "node", say=lambda _: None)
    started.start()
    yield started
    started.remove()


def _put(node, index):
    node.ask("PUT", f"/{index}", {"settings": {"number_of_replicas": 0}})
    node.ask("PUT", f"/{index}/_doc/1?refresh=true", {"name": "kept"})


def _get(node, index):
    return node.ask("GET", f"/{index}/_doc/1")["_source"]["name"]


def test_documents_and_port_survive_a_kill_and_a_restart(node):
    url = node.url
    _put(node, "killed")
    node.kill()
    with pytest.raises(OSError):
        node.ask("GET", "/_cluster/health")
    assert node.start() == url
    assert _get(node, "killed") == "kept"


def test_a_paused_node_answers_after_it_was_resumed(node):
    _put(node, "paused")
    node.pause()
    node.resume()
    assert _get(node, "paused") == "kept"


def test_the_node_runs_as_another_user_than_root_and_on_loopback_alone(node):
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    (http,) = node.ask("GET", "/_nodes/_local/http,process")["nodes"].values()
    assert http["http"]["publish_address"] == node.url.removeprefix("http://")
    mine = [line.split()[3] for line in listening.splitlines() if f"pid={http['process']['id']}," in line]
    assert mine
    assert {address.rsplit(":", 1)[0] for address in mine} <= {"127.0.0.1", "[::ffff:127.0.0.1]"}
    assert os.stat(f"/proc/{http['process']['id']}").st_uid != 0


def test_a_folder_has_one_launcher_at_a_time(node):
    with pytest.raises(ServerError, match="is in use by the process"):
        Elasticsearch(node._folder.data).start()


def test_a_start_replaces_the_node_of_a_launcher_that_was_killed(tmp_path_factory, node):
    data = tmp_path_factory.mktemp("orphaned") / "node"
    script = (
        "import sys; from pathlib import Path; from suite.servers.elasticsearch import Elasticsearch;"
        "node = Elasticsearch(Path(sys.argv[1])); print(node.start(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.kill()
    said = []
    second = Elasticsearch(data, say=said.append)
    try:
        second.start()
        assert [one for one in said if one.startswith("Stopping the Elasticsearch")]
        assert second.ask("GET", "/_cluster/health")["status"] == "green"
    finally:
        second.remove()
    assert not data.exists()


def test_a_home_without_elasticsearch_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GUANXI_ELASTICSEARCH_HOME", str(tmp_path))
    with pytest.raises(ServerError, match=str(tmp_path)):
        module.fetch()
    with pytest.raises(ServerError, match="fetches it"):
        Elasticsearch(tmp_path / "data").start()


def test_without_maven_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "place", lambda: Path(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="maven"):
        module.fetch()


def test_the_index_would_not_be_made_by_a_write_that_names_it_wrongly(node):
    with pytest.raises(urllib.error.HTTPError) as refused:
        node.ask("PUT", "/unknown/_doc/1", {"name": "x"})
    assert json.load(refused.value)["error"]["type"] == "index_not_found_exception"
