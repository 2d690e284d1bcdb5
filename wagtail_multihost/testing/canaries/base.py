"""What a canary is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Crossing(NamedTuple):
    """Something of one site that another has reached: the ``setting`` behind it, and what was seen (a sentence)."""

    setting: str
    evidence: str


class Canary:
    """
    Something that is put into one site and looked for from another.

    An instance lives in the process of one site. The steps come in this order, each for all canaries before the
    next: ``plant`` at the first site, ``crossed`` and ``disturb`` at the other, ``lost`` and ``remove`` at the first
    again. ``token`` is 24 random letters; ``planted`` is what ``plant`` returned, as JSON carries it.
    """

    #: What reports call it.
    name = ""
    #: The setting that is named when the identity fuse, or the mark on a place, refuses before the canary can tell.
    setting = 'DATABASES["default"]'
    #: Whether it repeats other canaries in other circumstances; it is heard only where those are silent.
    repeats = False

    def applies(self) -> bool:
        """Return whether the project has what this canary needs, such as an installed app."""
        return True

    def plant(self, token: str) -> Any:
        """Put the token into this site; return what the other steps need to know."""
        raise NotImplementedError

    def crossed(self, token: str, planted: Any) -> Iterable[Crossing]:
        """Yield where this site sees what another one has planted."""
        raise NotImplementedError

    def disturb(self, token: str, planted: Any) -> None:
        """Do what is this site's right, such as clearing its cache, and must not touch what another has planted."""

    def lost(self, token: str, planted: Any) -> Iterable[Crossing]:
        """Yield what this site has planted and the other has taken away."""
        return ()

    def remove(self, token: str, planted: Any) -> None:
        """Take away what this site has planted."""
