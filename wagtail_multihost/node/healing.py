"""
What to do about sites that do not answer on this node: for each a ladder of steps, taken one by one, each after the
monitor has said that the one before did not help. Nothing here reads a clock, a file or the database.

Only what a node can be at fault for is healed. Whether others serve the site, and whether there is room in the
budgets, the database says before each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wagtail_multihost.nodeapi.heal_steps import APPLY, NODE, READ, RESTART, STOP
from wagtail_multihost.nodeapi.probe_files import Observation
from wagtail_multihost.nodeapi.probe_states import (
    BAD,
    REFUSED,
    RESET,
    STATUS,
    TIMEOUT,
    UNKNOWN,
    WRONG_PROOF,
    WRONG_SITE,
)

#: What the monitor's word means here: it answers; its process, or what leads to it, may be at fault; it is at fault
#: itself, or what it shares with others is; nobody knows.
WELL, ILL, ELSEWHERE, UNSEEN = "well", "ill", "elsewhere", "unseen"
#: A process that is dead, hangs or is another one's.
OF_PROCESSES = frozenset({REFUSED, TIMEOUT, RESET, WRONG_PROOF})
#: With these a front server says that behind it nobody answers. The site's own code answers with any other.
OF_FRONTS = frozenset({502, 504})

#: Seconds that a site must have been well until it is forgotten what was done for it.
CALM = 3600.0
#: Seconds before the ladder is begun again after so many restarts, doubled each time; with more there is none.
FIRST_AGAIN, MOST_RESTARTS = 120.0, 3
#: Seconds until a step is asked for again that was refused.
REFUSED_PAUSE = 60.0
#: More sites than these, and than this share of those that are seen, are not restarted one by one: what they share is
#: at fault.
MOST_AT_ONCE, MOST_SHARE = 2, 0.2
#: The node itself is at fault where no step has helped this share of its sites.
NODE_SHARE = 0.5
#: Seconds that whoever runs the node has to replace it, and until it asks for that again.
REPLACED_WITHIN, NODE_AGAIN = 600.0, 3600.0
#: So many steps are asked for at a time, of which one restarts anything.
MOST_WISHES = 5


class Rules(NamedTuple):
    """
    Seconds of ``pause`` in which a step takes effect, whether anything here restarts single sites, and whether the node
    may say that it is unhealthy.
    """

    pause: float
    can_restart: bool = True
    may_replace: bool = True


class Sight(NamedTuple):
    """
    How a site is: a word as its ``look``, ``since`` when and ``at`` what time of the machine's clock the monitor said
    so, and which record it has. It is ``barred`` from healing for a reason.
    """

    look: str
    since: float = 0.0
    at: float = 0.0
    uid: str = ""
    generation: int = 0
    barred: str = ""

    @property
    def is_healable(self) -> bool:
        return self.look == ILL and not self.barred


class Ladder(NamedTuple):
    """
    How far the healing of a site has come: the last ``step``, which the database knows as ``row``, ``at`` what time of
    day, and how many ``restarts`` there were. Why the next one was ``refused`` when it was ``asked_at``. ``well_at`` is
    since when the site is well again, 0 while it is not.
    """

    uid: str = ""
    generation: int = 0
    step: str = ""
    at: float = 0.0
    row: str = ""
    restarts: int = 0
    refused: str = ""
    asked_at: float = 0.0
    well_at: float = 0.0


class Wish(NamedTuple):
    """A step that is due, of a site, or of the node itself where that is blank."""

    site: str
    step: str


class Plan(NamedTuple):
    """
    The ladders after a look, what is wished because of it, which sites a step has ``healed``, whether too many are ill
    for restarts, and whether the node is ``worn``: no step has helped so many of its sites.
    """

    ladders: Mapping[str, Ladder]
    wishes: tuple[Wish, ...] = ()
    healed: tuple[str, ...] = ()
    is_storm: bool = False
    is_worn: bool = False


#: The ladder of the node itself, by the id of no site.
THE_NODE = ""


def judge(observation: Observation | None) -> str:
    """Return what the monitor's word on a site's canonical hostname means for its processes here."""
    if observation is None or observation.state == UNKNOWN:
        return UNSEEN
    if observation.state not in BAD:
        return WELL
    is_of_front = observation.reason == STATUS and observation.code in OF_FRONTS
    if observation.state == WRONG_SITE or observation.reason in OF_PROCESSES or is_of_front:
        return ILL
    return ELSEWHERE


def plan_steps(
    ladders: Mapping[str, Ladder], sights: Mapping[str, Sight], acted: Mapping[str, float], wall: float, rules: Rules
) -> Plan:
    """
    Return what to do, at the time of day ``wall``. ``acted`` is when something was last done for each site, by the
    machine's clock, and for THE_NODE when the agent was started: what the monitor said before is of no use.
    """
    kept = {site: kept for site, one in ladders.items() if (kept := follow(one, sights.get(site), wall)) is not None}
    healed = tuple(site for site, one in kept.items() if one.row and one.well_at and not ladders[site].well_at)
    seen = [site for site, sight in sights.items() if sight.look != UNSEEN]
    ill = sorted((site for site in seen if sights[site].is_healable), key=lambda site: (sights[site].since, site))
    kept |= {site: Ladder(sights[site].uid, sights[site].generation) for site in ill if site not in kept}
    is_storm = len(ill) > max(MOST_AT_ONCE, MOST_SHARE * len(seen))
    shown = [site for site in ill if has_shown(kept[site], sights[site], acted.get(site, acted[THE_NODE]), rules)]
    worn = [site for site in shown if is_helpless(kept[site].step, is_storm=is_storm)]
    is_worn = bool(worn) and len(worn) >= NODE_SHARE * len(seen)
    asks_for_node = is_worn and rules.may_replace and may_ask_for_node(kept.get(THE_NODE, Ladder()), wall)
    wishes = [Wish(THE_NODE, NODE)] if asks_for_node else []
    # Nobody is called while the node may still be replaced.
    withheld = {STOP} if asks_for_node or (is_worn and is_being_replaced(kept.get(THE_NODE, Ladder()), wall)) else set()
    withheld |= {RESTART} if is_storm else set()
    for site in shown:
        step = next_step(kept[site], wall, rules)
        if step and step not in withheld:
            wishes.append(Wish(site, step))
            withheld |= {RESTART} if step == RESTART else set()
    return Plan(kept, tuple(wishes[:MOST_WISHES]), healed, is_storm, is_worn)


def follow(ladder: Ladder, sight: Sight | None, wall: float) -> Ladder | None:
    """Return a ladder after a look at its site; None if it is forgotten what was done."""
    # A clock that was set back ends no pause before its time, and makes none longer than it is.
    ladder = ladder._replace(at=min(ladder.at, wall), asked_at=min(ladder.asked_at, wall))
    if sight is None:  # the node itself, or a site that has gone
        return ladder if wall - max(ladder.at, ladder.asked_at) < CALM else None
    if (ladder.uid, ladder.generation) != (sight.uid, sight.generation):
        return None
    if sight.look == WELL:
        well_at = min(ladder.well_at, wall) or wall
        return ladder._replace(well_at=well_at, refused="") if wall - well_at < CALM else None
    if sight.look == ILL and ladder.well_at:
        # It begins at the foot again, unless it was left to people, who have not changed the record since.
        return ladder._replace(well_at=0.0, row="", step=STOP if ladder.step == STOP else "")
    return ladder


def has_shown(ladder: Ladder, sight: Sight, acted: float, rules: Rules) -> bool:
    """Return whether the monitor has said that a site is ill since the last step could take effect."""
    return sight.at > acted + (rules.pause if ladder.step else 0.0)


def next_step(ladder: Ladder, wall: float, rules: Rules) -> str:
    """Return the step that is due for a site that is ill still; blank if none is."""
    if ladder.refused and wall - ladder.asked_at < REFUSED_PAUSE:
        return ""
    if ladder.step == READ:
        return APPLY
    if ladder.step == APPLY:
        return RESTART if rules.can_restart and ladder.restarts < MOST_RESTARTS else STOP
    if ladder.step in (RESTART, STOP):
        return STOP if ladder.step == RESTART else ""
    is_calm = not ladder.restarts or wall - ladder.at >= FIRST_AGAIN * 2.0 ** (ladder.restarts - 1)
    return READ if is_calm else ""


def is_helpless(step: str, *, is_storm: bool) -> bool:
    """Return whether no step is left for a site that is ill still after a ``step``, but one of the node."""
    return step in (RESTART, STOP) or (is_storm and step == APPLY)


def may_ask_for_node(node: Ladder, wall: float) -> bool:
    """Return whether it is time to ask whether the node may say that it is unhealthy."""
    if node.step == NODE and wall - node.at < NODE_AGAIN:
        return False
    return not node.refused or wall - node.asked_at >= REFUSED_PAUSE


def is_being_replaced(node: Ladder, wall: float) -> bool:
    """Return whether the node has said that it is unhealthy, and whoever runs it has still time to replace it."""
    return node.step == NODE and wall - node.at < REPLACED_WITHIN


def note_taken(ladders: Mapping[str, Ladder], wish: Wish, row: str, wall: float) -> dict[str, Ladder]:
    """Return the ladders after a step was taken, which the database knows as ``row``."""
    before = ladders.get(wish.site, Ladder())
    restarts = before.restarts + (wish.step == RESTART)
    taken = before._replace(step=wish.step, at=wall, row=row or before.row, restarts=restarts, refused="", well_at=0.0)
    return {**ladders, wish.site: taken}


def note_refused(ladders: Mapping[str, Ladder], wish: Wish, reason: str, wall: float) -> dict[str, Ladder]:
    """Return the ladders after a step was refused."""
    before = ladders.get(wish.site, Ladder())
    return {**ladders, wish.site: before._replace(refused=reason, asked_at=wall)}
