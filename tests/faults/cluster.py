"""F5: three brokers that keep everything three times; one dies, one is cut off from the others."""

from __future__ import annotations

from tests.faults.schedules import Run


def lose_nodes(run: Run) -> None:
    """F5: of three brokers the leading one is killed and comes back, then one is cut off from the others"""
    cluster = run.stack.cluster
    assert cluster is not None
    seconds = 60 if run.long else 10
    run.wait(2.0)
    leading = cluster.leader()
    leading.kill()
    run.await_recovery()
    _unaffected(run, seconds)
    leading.start()
    run.figures["whole again in"] = round(cluster.await_whole(), 1)
    run.await_recovery()
    run.wait(3.0)
    apart = cluster.leader()
    cluster.cut_off(apart)
    run.await_recovery()
    _unaffected(run, seconds)
    cluster.let_in(apart)
    cluster.await_whole()
    run.await_recovery()


def _unaffected(run: Run, seconds: float) -> None:
    """Two of three are enough for everything."""
    begin = run.history.now()
    run.wait(seconds)
    run.must_live(begin, run.history.now(), lambda kind: True)
