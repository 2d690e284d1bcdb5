"""
Which incidents there are: decided from what monitors, nodes and processes have said, without asking anything.

A hostname that is bad opens an incident once that has lasted, of its site or of what many sites have in common; what
comes back within minutes is the same incident; and one that comes and goes is told once. Nothing is concluded from what
nobody has looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from wagtail_multihost.nodeapi.incident_words import (
    DISK,
    MANY,
    NODE,
    OF_SITE,
    PERIODS,
    SILENT_AFTER,
)
from wagtail_multihost.nodeapi.node_states import SILENT_AFTER as NODE_SILENT_AFTER
from wagtail_multihost.nodeapi.probe_states import BAD
from wagtail_multihost.operations.operator.incident_causes import FEWEST, MANY_NODES, find_causes
from wagtail_multihost.operations.operator.incident_facts import (
    Cause,
    Concerned,
    Facts,
    Incident,
    Key,
    Process,
    Seen,
    Step,
)
from wagtail_multihost.operations.operator.incident_steps import Draft, step_of

#: Seconds that something is bad before it is an incident: what has a cause in common is seen one after the other.
SETTLE = 30
#: Seconds that everything is good before an incident is over; and before one that flaps is.
CALM, CALM_OF_FLAPPING = 60, 900
#: So many sites that go bad at once are one incident, and for so many seconds others join it.
MANY_SITES, GATHER = 5, 120
#: A hostname that goes bad so often within so many seconds flaps.
FLAPS, FLAPS_SECONDS = 4, 1800
#: Times that are remembered of one hostname.
MOST_TURNS = 10


def decide(facts: Facts, new_id: Callable[[], UUID] = uuid4) -> list[Step]:
    """Return what changes of the incidents now, those first that others are folded into."""
    decision = Decision(facts, new_id)
    decision.sort_rows()
    decision.note_processes()
    decision.note_what_is_good()
    steps = [step for draft in decision.drafts.values() if (step := step_of(draft, facts.now)) is not None]
    return sorted(steps, key=lambda step: step.folded is not None)


@dataclass
class Decision:
    """The incidents as they are worked on. ``drafts`` has those that are open, by their cause."""

    facts: Facts
    new_id: Callable[[], UUID]
    drafts: dict[Cause, Draft] = field(default_factory=dict)
    former: dict[Cause, Incident] = field(default_factory=dict)
    #: In which incident each bad row is.
    homes: dict[Key, Draft] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for incident in self.facts.incidents:
            if incident.till is None:
                self.drafts[incident.cause] = Draft(incident, dict(incident.hostnames))
            else:
                self.former[incident.cause] = incident
        self.bad = {row.key: row for row in self.facts.seen if row.is_fresh and row.state in BAD}
        #: In which incident each hostname was that is not good yet.
        self.members = {key: cause for cause, draft in self.drafts.items() for key in draft.open_keys()}

    def sort_rows(self) -> None:
        """Put each bad row into an incident, unless it is too early to say."""
        causes = find_causes(self.bad.values(), self.facts.sites, self.silent_nodes())
        self.name_cause_of_many(causes)
        shared = defaultdict(list)
        for key, cause in causes.items():
            shared[cause].append(self.bad[key])
        left = [row for row in self.bad.values() if row.key not in causes]
        for cause, rows in shared.items():
            if cause in self.drafts or self.has_settled(rows):
                self.join(cause, rows)
            else:
                left += [row for row in rows if row.key in self.members]
        self.sort_single_rows(left)

    def name_cause_of_many(self, causes: dict[Key, Cause]) -> None:
        """Give the incident of many sites the cause that is known by now."""
        many = self.drafts.get(Cause(MANY, ""))
        if many is None:
            return
        still = [key for key in many.open_keys() if key in self.bad]
        known = Counter(causes[key] for key in still if key in causes)
        cause, count = known.most_common(1)[0] if known else (Cause(MANY, ""), 0)
        if count >= max(FEWEST, len(still) / 2) and cause not in self.drafts:
            self.drafts[cause] = self.drafts.pop(many.cause)
            self.members |= dict.fromkeys(still, cause)
            many.cause = cause

    def sort_single_rows(self, rows: Iterable[Seen]) -> None:
        staying, single = self.staying_in_shared(rows)
        for cause, kept in staying.items():
            self.join(cause, kept)
        by_site = defaultdict(list)
        for row in single:
            by_site[Cause(OF_SITE, row.site)].append(row)
        new = {cause for cause, found in by_site.items() if cause not in self.drafts and self.has_settled(found)}
        many = self.drafts.get(Cause(MANY, ""))
        is_gathering = many is not None and self.facts.now - many.incident.since < GATHER
        if new and (len(new) >= MANY_SITES or is_gathering):
            self.join(Cause(MANY, ""), [row for cause in new for row in by_site.pop(cause)])
        for cause, found in by_site.items():
            if cause in self.drafts or cause in new:
                self.join(cause, found)

    def staying_in_shared(self, rows: Iterable[Seen]) -> tuple[dict[Cause, list[Seen]], list[Seen]]:
        """Return the rows that stay in an incident of several sites, as long as it is one; and the others."""
        staying, single = defaultdict(list), []
        for row in rows:
            cause = self.members.get(row.key)
            if cause is not None and cause.is_shared and cause in self.drafts:
                staying[cause].append(row)
            else:
                single.append(row)
        sites = defaultdict(set)
        for key, draft in self.homes.items():
            sites[draft.cause].add(self.bad[key].uid)
        for cause in list(staying):
            if len(sites[cause].union(row.uid for row in staying[cause])) < FEWEST:
                single += staying.pop(cause)
        return staying, single

    def has_settled(self, rows: Iterable[Seen]) -> bool:
        return self.facts.now - min(row.since for row in rows) >= SETTLE

    def join(self, cause: Cause, rows: Iterable[Seen]) -> None:
        draft = self.open(cause)
        for row in rows:
            self.homes[row.key] = draft
            draft.hostnames[row.key] = with_turn(draft.hostnames.get(row.key), row)
        draft.is_flapping = draft.is_flapping or self.flaps(draft)

    def open(self, cause: Cause) -> Draft:
        """Return the open incident of a cause: the one that there is, one that was over a moment ago, or a new one."""
        if cause not in self.drafts:
            former = self.former.pop(cause, None)
            if former is None:
                draft = Draft(Incident(self.new_id(), "", cause, None, self.facts.now, None, 0, {}), {}, is_new=True)
            else:
                draft = Draft(former, dict(former.hostnames), is_reopened=True)
            self.drafts[cause] = draft
        return self.drafts[cause]

    def flaps(self, draft: Draft) -> bool:
        """Return whether what comes and goes is the site, or enough of the sites that share a cause."""
        start = self.facts.now - FLAPS_SECONDS
        restless = {one.uid for one in draft.hostnames.values() if sum(turn > start for turn in one.turns) >= FLAPS}
        return len(restless) >= (FEWEST if draft.cause.is_shared else 1)

    def silent_nodes(self) -> frozenset[str]:
        return frozenset(one.name for one in self.facts.processes if one.what == NODE and self.is_silent(one))

    def is_silent(self, process: Process) -> bool:
        """Return whether a process was silent for too long, all of which somebody would have heard it."""
        return min(process.seconds, self.facts.awake) > limit_of(process)

    def note_processes(self) -> None:
        """Open incidents of nodes and processes, and say of the open ones whether they last."""
        wanted = {cause for one in self.facts.processes for cause in self.causes_of(one)}
        several = Cause(NODE, "")
        if len(self.silent_nodes()) >= MANY_NODES or several in self.drafts:
            new = {cause for cause in wanted if cause.word == NODE and cause not in self.drafts}
            wanted = (wanted - new) | ({several} if new else set())
        for cause in sorted(wanted):
            self.open(cause).is_of_process = True

    def causes_of(self, process: Process) -> Iterable[Cause]:
        """Yield what is wrong with a process."""
        cause = Cause(process.what, process.name)
        is_open = cause in self.drafts or (process.what == NODE and Cause(NODE, "") in self.drafts)
        if process.seconds > limit_of(process) and (is_open or self.is_silent(process)):
            yield cause
        elif process.is_full:
            yield Cause(DISK, process.name)

    def note_what_is_good(self) -> None:
        """Say of each hostname since when it is good, or in which other incident it is; and whether all is over."""
        seen = {row.key: row for row in self.facts.seen}
        for draft in self.drafts.values():
            others: Counter[UUID] = Counter()
            for key in draft.open_keys():
                home, row = self.homes.get(key), seen.get(key)
                if home is draft or (row is not None and not row.is_fresh) or (home is None and key in self.bad):
                    continue
                if home is not None:
                    others[home.incident.id] += 1
                ended = self.facts.now if home is not None or row is None else row.since
                one = draft.hostnames[key]
                draft.hostnames[key] = one._replace(till=max(ended, one.since))
            if others and draft.cause.word in (OF_SITE, MANY) and not draft.open_keys():
                draft.folded = others.most_common(1)[0][0]
            draft.is_over = self.is_over(draft)

    def is_over(self, draft: Draft) -> bool:
        if draft.folded is not None:
            return True
        if draft.is_of_process or draft.open_keys():
            return False
        calm = CALM_OF_FLAPPING if draft.is_flapping else CALM
        ends = [one.till for one in draft.hostnames.values() if one.till is not None]
        return not ends or self.facts.now - max(ends) >= calm


def limit_of(process: Process) -> float:
    """Return after how many seconds a process is silent."""
    return NODE_SILENT_AFTER if process.what == NODE else max(SILENT_AFTER, PERIODS * process.period)


def with_turn(known: Concerned | None, row: Seen) -> Concerned:
    """Return a row as an incident has it: with another turn if it has gone bad since it was seen last."""
    turns = known.turns if known is not None else ()
    is_turn = known is None or known.till is not None or row.since > known.since + 0.5
    if is_turn and not (turns and abs(turns[-1] - row.since) < 0.5):
        turns = (*turns, row.since)[-MOST_TURNS:]
    since = row.since if is_turn or known is None else known.since
    return Concerned(row.hostname, row.place, row.uid, row.site, row.state, row.reason, row.code, turns, since, None)
