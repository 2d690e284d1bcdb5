"""
All that a monitor knows: targets, what counts of each, and since when all are looked at. No I/O: rounds ask and tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from wagtail_multihost.monitor.concluding import Standing
from wagtail_multihost.monitor.judging import Answer, Judgement
from wagtail_multihost.monitor.ledger import Ledger, News
from wagtail_multihost.monitor.schedule import Schedule
from wagtail_multihost.nodeapi.probe_files import MOST_BATCHES, Observation, Target
from wagtail_multihost.nodeapi.probe_states import UP

#: A hostname, or everything, that nobody has looked at for so many periods, counts as not looked at.
LATE = 2.5


class Watch:
    """What a monitor at ``place`` knows of its targets, each of which is asked once in a ``period``."""

    def __init__(self, place: str, period: float) -> None:
        self.place, self.period = place, period
        self.schedule = Schedule(place, period)
        self.ledger = Ledger()
        self.targets: dict[str, Target] = {}
        self.standings: dict[str, Standing] = {}
        self.covered_since: float | None = None
        self.looked_at: float | None = None

    def replace_targets(self, targets: Iterable[Target], now: float) -> None:
        """Watch these from now on, and no others; one that has changed is asked soon."""
        former, self.targets = self.targets, {target.hostname: target for target in targets}
        gone = former.keys() - self.targets.keys()
        for name in gone:
            self.standings.pop(name, None)
        self.ledger.forget_hostnames(gone)
        for name, target in self.targets.items():
            if name not in self.standings:
                self.standings[name] = Standing(Observation(name), probed_at=now)
            elif former[name]._replace(proves=False) != target._replace(proves=False):
                self.schedule.ask_soon(name, now)
        self.schedule.replace(self.targets.keys(), now, is_first=not former)

    def note(self, target: Target, judgement: Judgement, answer: Answer, at: float, now: float) -> Observation | None:
        """Take in what a probe says that was begun ``at``; return what counts now, if that is something else."""
        name = target.hostname
        standing = self.standings.get(name)
        if standing is None or self.targets[name] != target:
            return None  # the target is another one by now, and is asked as that
        if judgement.state == UP and answer.milliseconds is not None:
            self.ledger.count(name, answer.milliseconds)
        has_changed = standing.note(judgement, answer, at)
        if standing.is_doubtful:
            self.schedule.look_again(name, now)
        if has_changed:
            self.ledger.note_change(standing.observation)
        return standing.observation if has_changed else None

    def look_after(self, now: float) -> None:
        """Note what was not looked at for too long, and since when everything is; to be called often."""
        late = LATE * self.period
        if self.looked_at is not None and now - self.looked_at > late and self.covered_since is not None:
            # This process or its machine slept: what counted before counts on, but of that time nobody knows.
            self.covered_since = now
            for standing in self.standings.values():
                standing.probed_at = now
        self.looked_at = now
        for standing in self.standings.values():
            if now - standing.probed_at > late and standing.lose(standing.probed_at + self.period):
                self.ledger.note_change(standing.observation)
        if self.covered_since is None and self.standings and all(one.is_concluded for one in self.standings.values()):
            self.covered_since = now

    def tell_again(self) -> None:
        """Have all that counts be told once more: the database keeps only so many changes of a hostname in an hour."""
        waiting = {one.hostname for one in self.ledger.changes.values()}
        for observation in self.list_concluded():
            if observation.hostname not in waiting:
                self.ledger.note_change(observation)

    def make_news(self, now: float, *, has_all: bool) -> News:
        """Return what is to be told next; with all that counts, if it ``has_all``."""
        if not has_all:
            return self.ledger.make_news(now, self.covered_since)
        batches = tuple(self.ledger.batches)
        return News(now, {}, batches, self.covered_since, self.list_concluded())

    def note_told(self, news: News, *, has_all: bool) -> None:
        """Forget what was told; where all is told each time, the newest latencies stay for readers that are late."""
        self.ledger.forget(news if not has_all else news._replace(batches=news.batches[:-MOST_BATCHES]))
        if has_all:
            self.ledger.changes.clear()

    def list_concluded(self) -> tuple[Observation, ...]:
        return tuple(one.observation for one in self.standings.values() if one.is_concluded)
