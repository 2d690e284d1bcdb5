"""Finding 10: one SECRET_KEY, and databases that are copies of one template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.test import override_settings
from wagtail.images.utils import generate_signature, verify_signature

from tests.findings.conftest import REGISTRY, SettingsOf

SHARED = {"SECRET_KEY": "one-key-for-all-0123456789-0123456789-0123456789", "SECRET_KEY_FALLBACKS": []}


def editor() -> User:
    """Return the same row of the same template, as each site has it."""
    return User(pk=1, username="editor", email="editor@example.org", password="pbkdf2_sha256$1$a$b")


@contextmanager
def process(settings: dict[str, Any]) -> Iterator[None]:
    keys = {name: settings[name] for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS")}
    with override_settings(**keys):
        yield


def accepted(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Return the kinds of credentials that the site ``one`` made and ``other`` takes."""
    with process(one):
        reset = default_token_generator.make_token(editor())
        session = editor().get_session_auth_hash()
        cookie = signing.dumps({"_auth_user_id": "1"}, salt="django.contrib.sessions.backends.signed_cookies")
        image = generate_signature(1, "width-100")
    with process(other):
        found = {
            "reset": default_token_generator.check_token(editor(), reset),
            "session": session in {editor().get_session_auth_hash(), *editor().get_session_auth_fallback_hash()},
            "image": verify_signature(image, 1, "width-100"),
        }
        try:
            signing.loads(cookie, salt="django.contrib.sessions.backends.signed_cookies")
            found["cookie"] = True
        except signing.BadSignature:
            found["cookie"] = False
    return {kind for kind, taken in found.items() if taken}


def test_credentials_of_one_site_are_worthless_on_its_clone(settings_of: SettingsOf) -> None:
    """With a shared key every credential of one site is valid on a copy of its database; with the resolver's, none."""
    assert accepted(SHARED, SHARED) == {"reset", "session", "image", "cookie"}
    aurora, borealis = settings_of("aurora"), settings_of("borealis")
    assert accepted(aurora, aurora) == {"reset", "session", "image", "cookie"}
    assert accepted(aurora, borealis) == set()


@pytest.mark.parametrize("epoch", [2, 3])
def test_fallback_is_the_sites_own(settings_of: SettingsOf, epoch: int) -> None:
    """A key before the last is no fallback, and no neighbour's key ever is; images know no fallback at all."""
    old, neighbour = settings_of("borealis"), settings_of("aurora")
    rotated = settings_of("borealis", registry=f"{REGISTRY}epoch = {epoch}\n")
    assert accepted(old, rotated) == ({"reset", "session", "cookie"} if epoch == 2 else set())
    assert accepted(neighbour, rotated) == set()
