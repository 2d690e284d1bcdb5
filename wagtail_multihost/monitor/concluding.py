"""
From what single probes say to what counts of a hostname: bad once several in a row agree, good again after one. A site
that is bad in changing ways is bad; the reason changes only when several agree on it too, so that no site can make the
monitor write with every probe.
"""

from __future__ import annotations

from dataclasses import dataclass

from wagtail_multihost.monitor.judging import Answer, Judgement
from wagtail_multihost.nodeapi.probe_files import Observation
from wagtail_multihost.nodeapi.probe_states import AGREEING, BAD, UNKNOWN


@dataclass
class Standing:
    """What counts of a hostname, and which probes since then say something else."""

    observation: Observation
    #: Not before the first good probe, or the last of the bad ones that agree.
    is_concluded: bool = False
    other: Judgement | None = None
    others: int = 0
    others_since: float = 0.0
    probed_at: float = 0.0

    @property
    def is_doubtful(self) -> bool:
        """Whether another probe soon would settle something."""
        return self.others > 0 and self.other is not None and self.other.state != self.observation.state

    def note(self, judgement: Judgement, answer: Answer, at: float) -> bool:
        """Take in what a probe says that was begun ``at``; return whether something else counts now."""
        self.probed_at = at
        self.observation = self.observation._replace(
            milliseconds=answer.milliseconds,
            certificate_until=answer.certificate_until or self.observation.certificate_until,
        )
        if self.is_concluded and self.says_same(judgement):
            self.forget_others()
            return False
        self.count_other(judgement, at)
        if not self.is_enough(judgement):
            return False
        return self.conclude(judgement, self.others_since)

    def says_same(self, judgement: Judgement) -> bool:
        known = self.observation
        return judgement == Judgement(known.state, known.reason, known.code, known.seen_uid)

    def count_other(self, judgement: Judgement, at: float) -> None:
        """Count a probe that says something else than what counts; one that disagrees begins a new count."""
        if self.other is None or not self.agree(self.other, judgement):
            self.others, self.others_since = 0, at
        self.other, self.others = judgement, self.others + 1

    def agree(self, former: Judgement, judgement: Judgement) -> bool:
        """Return whether two probes agree on a state, or that it is bad; or on more, where the state counts already."""
        if self.is_concluded and judgement.state == self.observation.state:
            return former == judgement
        return former.state == judgement.state or (former.state in BAD and judgement.state in BAD)

    def is_enough(self, judgement: Judgement) -> bool:
        is_good = judgement.state not in BAD and judgement.state != UNKNOWN
        changes = not self.is_concluded or judgement.state != self.observation.state
        return (is_good and changes) or self.others >= AGREEING

    def conclude(self, judgement: Judgement, since: float) -> bool:
        known = self.observation
        if self.is_concluded and known.state == judgement.state:
            since = known.since
        self.observation = known._replace(
            state=judgement.state,
            reason=judgement.reason,
            code=judgement.code,
            seen_uid=judgement.seen_uid,
            since=since,
        )
        self.is_concluded = True
        self.forget_others()
        return True

    def lose(self, since: float) -> bool:
        """Note that nobody has looked ``since`` then; return whether that is new."""
        if self.is_concluded and self.observation.state == UNKNOWN:
            return False
        return self.conclude(Judgement(UNKNOWN), since)

    def forget_others(self) -> None:
        self.other, self.others = None, 0
