"""The published folder and the command that keeps it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from contracts import publish


def test_the_published_documents_are_what_the_code_generates() -> None:
    assert publish.drift() == [], "run python -m contracts.publish"


def test_generating_twice_gives_the_same_text() -> None:
    first = {name: publish.text(document) for name, document in publish.documents().items()}
    assert first == {name: publish.text(document) for name, document in publish.documents().items()}


def test_drift_is_named_and_writing_ends_it(tmp_path: Path) -> None:
    publish.write(tmp_path)
    assert publish.drift(tmp_path) == []
    (tmp_path / "openapi.json").write_text("{}", "utf-8")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "events" / "sales.order.lost.schema.json").write_text("{}", "utf-8")
    assert publish.drift(tmp_path) == [
        "asyncapi.json is missing",
        "events/sales.order.lost.schema.json is not generated any more",
        "openapi.json differs from the code",
    ]
    publish.write(tmp_path)
    assert publish.drift(tmp_path) == []


def test_the_check_fails_on_drift(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main(["--check"]) == 0
    monkeypatch.setattr(publish, "drift", lambda: ["openapi.json differs from the code"])
    assert publish.main(["--check"]) == 1
    assert "openapi.json differs" in capsys.readouterr().out


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a folder of published documents, and no identity or hooks of this machine."""
    folder = tmp_path / "contracts" / "published"
    folder.mkdir(parents=True)
    monkeypatch.setattr(publish, "FOLDER", folder)
    for name, value in {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@example.org",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@example.org",
    }.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    return tmp_path


def commit(repository: Path, text: str) -> str:
    (repository / "contracts" / "published" / "openapi.json").write_text(text, "utf-8")
    publish.git("add", ".")
    publish.git("commit", "-q", "-m", text)
    return publish.git("rev-parse", "HEAD").strip()


def test_without_history_there_is_nothing_to_compare_with(repository: Path) -> None:
    assert publish.baselines() == []
    commit(repository, "{}")
    assert publish.baselines() == []


def test_before_the_first_release_nothing_is_promised(repository: Path) -> None:
    commit(repository, '{"paths": {}}')
    commit(repository, "{}")
    assert publish.baselines() == []


def test_the_main_branch_is_compared_with_the_commit_before(repository: Path) -> None:
    commit(repository, "1")
    publish.git("tag", "v1.0.0")
    second = commit(repository, '{"paths": {}}')
    commit(repository, "{}")
    assert publish.baselines() == ["v1.0.0", second]


def test_a_branch_is_compared_with_where_it_left_main_and_with_the_last_release(repository: Path) -> None:
    commit(repository, "1")
    publish.git("tag", "v1.0.0")
    left = commit(repository, "2")
    publish.git("checkout", "-q", "-b", "work")
    commit(repository, "3")
    assert publish.baselines() == ["v1.0.0", left]


def test_what_a_revision_published_is_read_from_its_history(repository: Path) -> None:
    first = commit(repository, '{"paths": {}}')
    commit(repository, '{"paths": {"/x": {}}}')
    assert publish.published_at(first) == {"openapi.json": {"paths": {}}}


def test_comparing_reports_what_breaks(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = commit(repository, '{"paths": {"/v1/gone": {"get": {"responses": {}}}}}')
    assert publish.main(["--compare", first]) == 1
    assert "GET /v1/gone: is gone" in capsys.readouterr().out
    second = commit(repository, '{"paths": {}}')
    assert publish.main(["--compare", second]) == 0
