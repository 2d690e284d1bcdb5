"""What was read and has not been applied yet."""

from __future__ import annotations

from collections.abc import Collection

from wagtail_multihost.node.reading import Merged


class Owed:
    """The sites that are to be applied, or all of them, and those that are to be removed."""

    def __init__(self) -> None:
        self.is_whole = True
        self.touched: set[str] = set()
        self.gone: set[str] = set()
        #: Those of the sites that were left out when all was applied, so that they have files of before.
        self.outdated: set[str] = set()

    def add(self, merged: Merged) -> bool:
        """Add what was read; return whether anything is owed for it."""
        self.is_whole = self.is_whole or merged.platform_changed
        self.touched |= merged.touched
        self.gone = (self.gone | merged.gone) - merged.touched
        return bool(merged.touched or merged.gone or merged.platform_changed)

    def add_sites(self, sites: Collection[str]) -> None:
        self.touched.update(sites)

    def exceeds(self, kept: Collection[str]) -> bool:
        """Return whether anything is owed but of the sites that are ``kept`` as they are."""
        return bool(self.is_whole or (self.touched | self.gone) - set(kept))

    def settle(self, kept: Collection[str] = (), left_out: Collection[str] = ()) -> None:
        """
        Forget it: it was applied; but not of the sites that were ``kept`` as they are. Those that were ``left_out``
        when all was applied are owed from then on.
        """
        for owed in (self.touched, self.gone, self.outdated):
            owed &= set(kept)
        if self.is_whole:
            self.outdated |= set(left_out)
        self.touched |= self.outdated - self.gone
        self.is_whole = False

    def __bool__(self) -> bool:
        return self.exceeds(())
