"""Search: one heavy reader, one question, and what its users did lately."""

from __future__ import annotations

import datetime as dt

from chassis.service import Service, Timer
from contracts.erasing import ASKS
from services.search import equipment, forgetting, indexing, queries, recents
from services.search.following import Follower
from services.search.rebuild import Rebuilder
from services.search.sweep import Sweeper


class Search(Service):
    """Everything that one may see, by a few letters."""

    name = "search"
    batch = indexing.take_in
    batch_size = 4_000
    methods = {
        "search.query": queries.query,
        "search.opened": recents.opened,
        "search.finished": recents.finished,
        "search.recent": recents.listing,
        "search.clear": recents.clear,
    }
    uses = {"elasticsearch": equipment.answers}
    measured = equipment.measured
    timers = (
        Timer("follow", dt.timedelta(seconds=1), Follower().follow),
        Timer("sweep", dt.timedelta(seconds=0.5), Sweeper().sweep),
        Timer("rebuild", dt.timedelta(seconds=0.5), Rebuilder().advance),
        Timer("tend", dt.timedelta(seconds=1), equipment.tend),
    )
    asks = ((ASKS["search"], forgetting.let_go),)


service = Search
