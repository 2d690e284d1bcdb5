"""What is known of each key of a site: where it is, and what its change invalidates."""

from __future__ import annotations

import pytest

from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.resolver.rotation import SiteCredential, site_credentials
from wagtail_multihost.spec import Secret
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.tls import TlsSpec


def every_credential() -> dict[str, SiteCredential]:
    site = a_site(
        database=postgresql(),
        cache=redis(),
        storage=s3(),
        mail=MailSpec(host="mail.internal", username="aurora", password=Secret("m")),
        frontend=FrontendCacheSpec(backend="cloudflare", zone="a1", token=Secret("t")),
        tls=TlsSpec(certificate="/srv/a.pem", key="/srv/a.key"),
    )
    own = {f"own {entry.name}": entry for entry in site_credentials(a_platform(), a_site(secret_key=Secret("k" * 60)))}
    return {**{entry.name: entry for entry in site_credentials(a_platform(), site)}, **own}


@pytest.mark.parametrize(
    ("name", "invalidates", "made"),
    [
        ("SECRET_KEY", 4, "uid and epoch 1"),
        ("The platform's key", 2, "one key for all sites"),
        ("The probe key", 2, "uid and epoch 1"),
        ("The database's password", 1, "aviary__aurora at db.internal"),
        ("The cache's password", 1, "at cache.internal"),
        ("The storage's keys", 1, "bucket aviary--aurora"),
        ("The mail account's password", 1, "aurora at mail."),
        ("The frontend cache's token", 1, "a1 at cloudflare"),
        ("The certificate's key", 1, "in the file /srv/a.key"),
        ("own SECRET_KEY", 4, "the site's own, in the registry itself"),
    ],
)
def test_each_credential_says_where_it_is_and_what_a_change_invalidates(name: str, invalidates: int, made: str) -> None:
    """What a change makes invalid is told in full."""
    entry = every_credential()[name]
    assert len(entry.invalidates) == invalidates
    assert made in entry.made


def test_keyring_is_named_as_one() -> None:
    """A keyring is called one, and a site that names its own key has it said."""
    platform = a_platform(
        secret_key=None, secret_keys=(("a", Secret("k" * 50)),), key_id="a", sources={"secret_keys": "here"}
    )
    found = {entry.name: entry for entry in site_credentials(platform, a_site())}
    assert found["The platform's key"].made == "a keyring"
    named = {entry.name: entry for entry in site_credentials(platform, a_site(key_id="a"))}
    assert named["The platform's key"].made == "named a by the site"
