"""A site of its own for each check, and its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from django.core.checks import CheckMessage

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.running import Running
from wagtail_multihost.spec.site import SiteSpec

Serve = Callable[[SiteSpec | None], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Make this the process of a site, or of none."""

    def become(site: SiteSpec | None) -> None:
        monkeypatch.setattr(running, "_current", Running(platform=a_platform() if site else None, site=site))

    return become


@pytest.fixture
def aurora(serve: Serve) -> SiteSpec:
    """Make this the process of the site aurora."""
    site = a_site()
    serve(site)
    return site


def ids_of(messages: Iterable[CheckMessage]) -> list[str]:
    """Return the ids of messages without their common prefix; each must have a hint and a whole sentence."""
    found = list(messages)
    assert all(message.hint and message.msg.endswith((".", "?")) for message in found)
    return [str(message.id).removeprefix("wagtail_multihost.") for message in found]
