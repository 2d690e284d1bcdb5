"""What a change of a site's keys invalidates: the sentences, and that Django and Wagtail do as they say."""

from __future__ import annotations

from pathlib import Path

import wagtail
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core import signing
from django.test import override_settings
from wagtail.images.utils import generate_signature, verify_signature

from tests.spec.samples import PLATFORM_KEY, SECRETS, a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver.rotation import site_credentials
from wagtail_multihost.resolver.secret_key import derived_keys
from wagtail_multihost.spec import Secret
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.tls import TlsSpec

OLD, NEW = "old-key-" * 8, "new-key-" * 8
DERIVED = ["SECRET_KEY", "The platform's key", "The probe key"]
SERVERS = ["The database's password", "The cache's password", "The storage's keys"]
DELIVERY = ["The mail account's password", "The frontend cache's token", "The certificate's key"]


def rotated(*, with_fallback: bool) -> override_settings:
    return override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD] if with_fallback else [])


def test_a_site_on_local_files_has_derived_keys_alone() -> None:
    """No password that there is none of is listed."""
    assert [entry.name for entry in site_credentials(a_platform(), a_site())] == DERIVED


def test_every_key_and_password_is_listed_and_none_is_shown() -> None:
    """Each credential has where it is and what it invalidates, and no secret is in any text."""
    site = a_site(
        database=postgresql(),
        cache=redis(),
        storage=s3(),
        mail=MailSpec(host="mail.internal", username="aurora", password=Secret("mail-hunter7")),
        frontend=FrontendCacheSpec(backend="cloudflare", zone="a1", token=Secret("token-hunter8")),
        tls=TlsSpec(certificate="/srv/a.pem", key="/srv/a.key"),
    )
    found = list(site_credentials(a_platform(), site))
    assert [entry.name for entry in found] == [*DERIVED, *SERVERS, *DELIVERY]
    assert all(entry.invalidates and entry.made for entry in found)
    assert not [secret for secret in (*SECRETS, "hunter7", "hunter8") if secret in repr(found)]


def test_a_key_of_its_own_is_listed_alone() -> None:
    """A site with its own secret_key has nothing to do with the platform's."""
    own = Secret.from_environment("AURORA_KEY", {})
    (entry,) = site_credentials(a_platform(secret_key=None), a_site(secret_key=own))
    assert "in the variable AURORA_KEY" in entry.made


def test_no_secret_is_read(tmp_path: Path) -> None:
    """With no secret file there, all is told, with the file's name and the key's line."""
    path = tmp_path / "sites.toml"
    path.write_text(
        '[platform]\nname = "aviary"\nsecret_key_file = "/none/key"\n[sites.aurora]\n'
        'hostnames = ["aurora.example.org"]\n'
        'database = { engine = "postgresql", host = "db.internal", password_file = "/none/{site}" }\n'
    )
    platform, site = open_registry(path, {}).site("aurora", reads_secrets=False)
    found = {entry.name: entry for entry in site_credentials(platform, site)}
    assert "in the file /none/aurora" in found["The database's password"].made
    assert found["The platform's key"].source == "sites.toml: platform.secret_key_file"


def test_raising_the_epoch_does_as_the_how_to_says() -> None:
    """The next epoch has the old key as a fallback, and the one after that does not know it."""
    platform = a_platform()
    old = derived_keys(platform, a_site(epoch=3))[0].reveal()
    assert old in [key.reveal() for key in derived_keys(platform, a_site(epoch=4))[1:]]
    assert old not in [key.reveal() for key in derived_keys(platform, a_site(epoch=5))]


def test_moving_to_a_new_platform_key_does_as_the_how_to_says() -> None:
    """In a keyring the old key stays a fallback under any id, until it is taken out."""
    new = Secret("another-platform-key-0123456789-0123456789")
    old = derived_keys(a_platform(), a_site())[0].reveal()
    ring = (("old", Secret(PLATFORM_KEY)), ("new", new))
    before = a_platform(secret_key=None, secret_keys=ring, key_id="old")
    during = a_platform(secret_key=None, secret_keys=ring, key_id="new")
    after = a_platform(secret_key=None, secret_keys=ring[1:], key_id="new")
    assert derived_keys(before, a_site())[0].reveal() == old
    assert old in [key.reveal() for key in derived_keys(during, a_site())[1:]]
    assert old not in [key.reveal() for key in derived_keys(after, a_site())]


def test_addresses_of_images_break_at_once() -> None:
    """Wagtail checks the signature of an image's address with SECRET_KEY alone."""
    with override_settings(SECRET_KEY=OLD):
        signature = generate_signature(1, "width-100")
        assert verify_signature(signature.encode(), 1, "width-100")
    with rotated(with_fallback=True):
        assert not verify_signature(signature.encode(), 1, "width-100")


def test_reset_links_and_signed_values_live_as_long_as_the_fallback() -> None:
    """Password-reset links, signed values and sessions that are kept in cookies are read with the fallbacks."""
    user = User(pk=1, username="editor", password="x", email="editor@example.org")
    with override_settings(SECRET_KEY=OLD):
        link, value = default_token_generator.make_token(user), signing.dumps("value")
        session = SessionStore()
        session["a"] = 1
        cookie = session._get_session_key()
    with rotated(with_fallback=True):
        assert default_token_generator.check_token(user, link)
        assert signing.loads(value) == "value"
        assert SessionStore(cookie).load() == {"a": 1}
    with rotated(with_fallback=False):
        assert not default_token_generator.check_token(user, link)
        assert SessionStore(cookie).load() == {}


def test_sessions_are_signed_anew_while_the_fallback_is_there() -> None:
    """The hash that ties a session to a user is accepted under a fallback, and without one it is not."""
    user = User(pk=1, username="editor", password="x")
    with override_settings(SECRET_KEY=OLD):
        session = {HASH_SESSION_KEY: user.get_session_auth_hash()}
    with rotated(with_fallback=True):
        assert session[HASH_SESSION_KEY] != user.get_session_auth_hash()
        assert session[HASH_SESSION_KEY] in list(user.get_session_auth_fallback_hash())
    with rotated(with_fallback=False):
        assert list(user.get_session_auth_fallback_hash()) == []


def test_api_tokens_of_wagtail_8_die_with_the_fallback() -> None:
    """A stored digest is found under a fallback and not without; Wagtail 7.4 has no such tokens."""
    if wagtail.VERSION < (8, 0):
        assert not hasattr(wagtail.models, "APIToken")
        return
    from wagtail.models import APIToken

    token = APIToken.generate_token()
    with override_settings(SECRET_KEY=OLD):
        stored = APIToken.hash_token(token)
    with rotated(with_fallback=True):
        assert stored in APIToken.candidate_key_hashes(token)
        assert APIToken.hash_token(token) != stored
    with rotated(with_fallback=False):
        assert stored not in APIToken.candidate_key_hashes(token)
