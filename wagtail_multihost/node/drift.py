"""What is not as it was left on this node: values, and the words for them. No contents of any file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wagtail_multihost.nodeapi.drift_kinds import CHANGED, EDITED, FOREIGN, GENERATION, MISSING, MODE
from wagtail_multihost.spec.printing import one_line

#: What an apply puts right.
HEALABLE = frozenset({MISSING, EDITED, CHANGED, FOREIGN, MODE, GENERATION})
#: So many are named in a condition, and in a list for programs.
MOST_SAID, MOST_LISTED = 8, 1000
DIGITS = 16


class Drift(NamedTuple):
    """
    One difference: its ``kind``, ``where`` it is, what was ``expected`` and ``found`` (digests of files; modes and
    states otherwise), and the ``site`` that it belongs to, blank for what all share.
    """

    kind: str
    where: str
    expected: str = ""
    found: str = ""
    site: str = ""

    @property
    def sentence(self) -> str:
        """The difference in a few words."""
        return f"{self.kind} {one_line(self.where)} (expected {shorten(self.expected)}, found {shorten(self.found)})"

    @property
    def row(self) -> dict[str, str]:
        """The same for programs."""
        return {**self._asdict(), "where": one_line(self.where)}


def shorten(text: str) -> str:
    """Return a digest's first digits, and other texts as they are."""
    return f"{text[:DIGITS]}…" if len(text) == 64 else one_line(text) or "nothing"


def describe_drift(found: Sequence[Drift]) -> str:
    """Return the first few differences, and how many more there are."""
    said = "; ".join(one.sentence for one in found[:MOST_SAID])
    return f"{said}; and {len(found) - MOST_SAID} more" if len(found) > MOST_SAID else said


def sites_of(found: Iterable[Drift]) -> frozenset[str]:
    """Return the sites that differ."""
    return frozenset(one.site for one in found if one.site)
