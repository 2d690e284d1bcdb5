"""The isolation kit for Django's test runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from wagtail_multihost.testing.canaries import CANARIES
from wagtail_multihost.testing.isolation import Isolation
from wagtail_multihost.testing.registry import SITES


class MultihostIsolationMixin:
    """
    A test that two sites of the project are isolated::

        class IsolationTests(MultihostIsolationMixin, SimpleTestCase):
            pass
    """

    #: Your own registry with both sites; None for one with SQLite and files in a temporary folder.
    multihost_registry: Path | str | None = None
    #: The ids of the two sites in the registry.
    multihost_sites: tuple[str, str] = SITES
    #: The dotted paths of the canaries.
    multihost_canaries: Sequence[str] = CANARIES
    #: A folder that keeps a migrated SQLite file for later runs with the same apps and migrations.
    multihost_databases: Path | None = None

    def test_sites_are_isolated(self) -> None:
        """No canary crosses from one site to the other."""
        Isolation(
            settings.SETTINGS_MODULE,
            registry=self.multihost_registry,
            sites=self.multihost_sites,
            canaries=self.multihost_canaries,
            databases=self.multihost_databases,
        ).check()
