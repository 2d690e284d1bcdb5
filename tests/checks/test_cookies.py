"""The check of cookies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.conftest import Serve, ids_of
from wagtail_multihost.checks.cookies import DOMAINS, check_cookies
from wagtail_multihost.spec.site import SiteSpec


@pytest.mark.parametrize("name", DOMAINS)
def test_cookie_with_a_domain_is_e012(aurora: SiteSpec, settings: Any, name: str) -> None:
    """A domain, the site's own hostname too, takes a cookie to every host below it."""
    setattr(settings, name, "aurora.example.org")
    assert ids_of(check_cookies(None)) == ["E012"]
    setattr(settings, name, None)
    assert check_cookies(None) == []


def test_cookie_of_no_site_is_quiet(serve: Serve, settings: Any) -> None:
    """In build mode no cookie is set."""
    serve(None)
    settings.SESSION_COOKIE_DOMAIN = ".example.org"
    assert check_cookies(None) == []
