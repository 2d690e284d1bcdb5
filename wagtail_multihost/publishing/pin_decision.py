"""Deciding whether a site without a pin is the one that had its id before, or another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple
from uuid import UUID, uuid4

from wagtail_multihost.publishing.evidence import Evidence
from wagtail_multihost.registry.used import Holder

NO_NAMES: Mapping[str, str] = {}


class PinChoice(Enum):
    """What the operator said about a site."""

    NOTHING = ""
    KEEP = "--keep"
    NEW = "--new"


class Decision(NamedTuple):
    """The ``uid`` of a site, the ``names`` that it had, whether it ``is_new``, and ``why``."""

    uid: UUID
    is_new: bool
    why: str
    names: Mapping[str, str] = NO_NAMES


class PinFacts(NamedTuple):
    """
    What is known about the id ``site``: the uid ``derived`` from it, its former ``holders``, the ``live`` uids that
    sites state now, the evidence that was ``found``, and ``unasked``: what could not be asked, and why.
    """

    site: str
    derived: UUID
    holders: Sequence[Holder] = ()
    live: Collection[UUID] = ()
    found: Sequence[Evidence] = ()
    unasked: str = ""


def decide_pin(facts: PinFacts, choice: PinChoice) -> Decision | str:
    """Return the decision about a site that states no uid, or why the operator has to make it."""
    if choice is PinChoice.NEW:
        return Decision(uuid4(), True, "--new says that it is another site")
    if choice is PinChoice.KEEP:
        return decide_kept(facts)
    if facts.holders:
        return decide_used_id(facts)
    if conflicting := [evidence for evidence in facts.found if evidence.uid not in (None, facts.derived)]:
        return (
            f"The site states no uid, but {conflicting[0].what} has the uid {conflicting[0].uid}. {choice_hint(facts)}"
        )
    if facts.found:
        return Decision(facts.derived, False, f"it is in use: {describe_evidence(facts.found)}")
    if facts.unasked:
        return f"It is not known whether the site is in use: {facts.unasked}. {choice_hint(facts)}"
    return Decision(uuid4(), True, "no earlier site with this id is known")


def decide_used_id(facts: PinFacts) -> Decision | str:
    """Return the decision about a site whose id was used before."""
    if all(holder.removed or holder.uid in facts.live for holder in facts.holders):
        gone = facts.holders[-1].uid
        return Decision(uuid4(), True, f"the id belonged to another site, with the uid {gone}")
    last = next(holder for holder in reversed(facts.holders) if not holder.removed)
    return (
        f"The site states no uid, and when pins were last written its id belonged to the uid {last.uid}. Either its "
        f"table was removed and made again, or it lost its pins. {choice_hint(facts)}"
    )


def decide_kept(facts: PinFacts) -> Decision | str:
    """Return the uid and the names that the id has, or had last."""
    why = "--keep says that it is the same site"
    if facts.holders:
        last = facts.holders[-1]
        if last.uid in facts.live:
            return f"It cannot be kept: its uid {last.uid} now belongs to another site. Leave it out of --keep"
        return Decision(last.uid, False, why, last.names)
    written = [evidence.uid for evidence in facts.found if evidence.uid is not None and not evidence.is_forgeable]
    uid = written[0] if written else facts.derived
    if any(evidence.uid not in (None, uid) for evidence in facts.found):
        return (
            f"It may have a uid other than {uid}: {describe_evidence(facts.found)}. Write the right one into its table"
        )
    return Decision(uid, False, why)


def choice_hint(facts: PinFacts) -> str:
    return (
        f"Say which: --keep {facts.site} if it is the same site, with its data, or --new {facts.site} if it is another "
        "one, which gets its own uid and names"
    )


def describe_evidence(found: Iterable[Evidence]) -> str:
    texts = [f"{evidence.what} with the uid {evidence.uid}" if evidence.uid else evidence.what for evidence in found]
    return ", ".join(texts)
