"""The check of the registry's revision; the one of the database's claim is with the commands."""

from __future__ import annotations

import pytest

from tests.checks.conftest import ids_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.checks.identity import check_revision
from wagtail_multihost.resolver import resolved
from wagtail_multihost.resolver.resolved import Applied, ResolvedSettings


@pytest.mark.parametrize(
    ("environment", "revision", "ids"), [("production", 0, ["W006"]), ("production", 1, []), ("development", 0, [])]
)
def test_production_without_a_revision_is_w006(
    monkeypatch: pytest.MonkeyPatch, environment: str, revision: int, ids: list[str]
) -> None:
    """In production alone a registry without a revision is told of."""
    platform = a_platform(environment=environment, revision=revision)
    monkeypatch.setattr(resolved, "_latest", Applied(ResolvedSettings(platform, a_site()), {}, {}))
    assert ids_of(check_revision(None)) == ids
