"""What of all that is known may be applied: everything but the sites that are held, or were changed on this node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wagtail_multihost.node.holds import Holds, find_stopped, hold_back
from wagtail_multihost.node.local_changes import LocalChanges
from wagtail_multihost.node.reading import Known, Table


class Choice(NamedTuple):
    """
    What to make of what is known: the ``base`` of it with the ``kept`` sites as they were, and ``patched`` with what
    was changed here. Nothing of the ``held`` ones is applied, and of those ``stopped`` the registry says that they are
    not to be served any more.
    """

    base: Known
    patched: Known
    held: frozenset[str]
    kept: frozenset[str]
    stopped: frozenset[str]


def choose_sites(
    known: Known, used: Mapping[str, Table], good: Mapping[str, Table], holds: Holds, local: LocalChanges
) -> Choice:
    """
    Return what may be applied of what is ``known``; ``used`` are the records that were applied last, and ``good`` those
    that the specs in use were made of.
    """
    changed_here = local.sites.keys()
    held = holds.sites - changed_here
    kept = held | changed_here
    # A change is made on the last good copy.
    before = {**used, **{site: good[site] for site in changed_here if site in good}}
    base = hold_back(known, before, kept)
    return Choice(base, local.patched(base), held, kept, find_stopped(known, before, held))
