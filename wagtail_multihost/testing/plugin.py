"""
The pytest plugin: the fixtures of the isolation kit. It does nothing unless a test uses one.

    def test_sites_are_isolated(multihost_isolation):
        multihost_isolation.check()
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wagtail_multihost.testing.isolation import Isolation


@pytest.fixture(scope="session")
def multihost_settings_module() -> str:
    """The settings module of the project (default: DJANGO_SETTINGS_MODULE)."""
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    if not module:
        pytest.fail("Set DJANGO_SETTINGS_MODULE, or override the fixture multihost_settings_module.", pytrace=False)
    return module


@pytest.fixture(scope="session")
def multihost_registry() -> Path | str | None:
    """Your own registry with both sites; None for one with SQLite and files in a temporary folder."""
    return None


@pytest.fixture(scope="session")
def multihost_sites() -> tuple[str, str]:
    """The ids of the two sites in the registry."""
    return ("left", "right")


@pytest.fixture(scope="session")
def multihost_canaries() -> tuple[str, ...]:
    """The dotted paths of the canaries."""
    from wagtail_multihost.testing.canaries import CANARIES

    return CANARIES


@pytest.fixture(scope="session")
def multihost_databases(pytestconfig: pytest.Config) -> Path | None:
    """A folder that keeps a migrated SQLite file for later runs with the same migrations (default: pytest's cache)."""
    return cache_folder(pytestconfig)


@pytest.fixture(scope="session")
def multihost_isolation(
    pytestconfig: pytest.Config,
    multihost_settings_module: str,
    multihost_registry: Path | str | None,
    multihost_sites: tuple[str, str],
    multihost_canaries: tuple[str, ...],
    multihost_databases: Path | None,
) -> Isolation:
    """Two sites of the project; ``check()`` fails with a report if anything crosses between them."""
    from wagtail_multihost.testing.isolation import Isolation

    return Isolation(
        multihost_settings_module,
        registry=multihost_registry,
        sites=multihost_sites,
        canaries=multihost_canaries,
        databases=multihost_databases,
        tell=lambda line: tell_on_terminal(pytestconfig, line),
    )


def cache_folder(config: pytest.Config) -> Path | None:
    """Return a folder in pytest's cache; None with ``-p no:cacheprovider``, and where it cannot be written to."""
    cache = getattr(config, "cache", None)
    try:
        folder = Path(cache.mkdir("multihost")) if cache else None
    except OSError:
        return None
    return folder if folder and os.access(folder, os.W_OK) else None


def tell_on_terminal(config: pytest.Config, line: str) -> None:
    """Write a line to the terminal, past what pytest captures; a worker of pytest-xdist has none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(line)
