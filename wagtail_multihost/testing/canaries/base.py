"""The base of all canaries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Crossing(NamedTuple):
    """Something of one site that another has reached: the ``setting`` that causes it, and a sentence as evidence."""

    setting: str
    evidence: str


class Canary:
    """
    Something that is put into one site and looked for from another.

    An instance lives in the process of one site. The steps are run in this order, each for all canaries before the
    next: ``plant`` in the first site, ``crossed`` and ``disturb`` in the other, ``lost`` and ``remove`` in the first
    again. ``token`` is 24 random letters; ``planted`` is what ``plant`` returned, as JSON carries it.
    """

    #: Its name in reports.
    name = ""
    #: The setting to report if the identity fuse or a mark refuses access before the canary finds anything.
    setting = 'DATABASES["default"]'
    #: Whether it repeats other canaries in other circumstances; it reports only settings that those do not.
    repeats = False

    def applies(self) -> bool:
        """Return whether the project has what this canary needs, such as an installed app."""
        return True

    def plant(self, token: str) -> Any:
        """Put the token into this site; return what the other steps need."""
        raise NotImplementedError

    def crossed(self, token: str, planted: Any) -> Iterable[Crossing]:
        """Yield a crossing for everything in which this site sees what the other has planted."""
        raise NotImplementedError

    def disturb(self, token: str, planted: Any) -> None:
        """Do something that this site may do, such as clearing its cache, and that must not affect the other site."""

    def lost(self, token: str, planted: Any) -> Iterable[Crossing]:
        """Yield a crossing for everything that this site has planted and the other has removed."""
        return ()

    def remove(self, token: str, planted: Any) -> None:
        """Remove what this site has planted."""
