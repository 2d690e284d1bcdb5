"""What is to be done to change a site's keys: no step is missing, and each credential says where it is."""

from __future__ import annotations

import pytest

from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.resolver.rotation import SiteCredential, site_credentials
from wagtail_multihost.spec import Secret
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.tls import TlsSpec

RELOAD = "Reload the site's"


def all_of_them() -> dict[str, SiteCredential]:
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
    ("name", "invalidates", "steps", "made"),
    [
        ("SECRET_KEY", 4, ["Set the site's ep", RELOAD, "Empty the caches", "The old key is a"], "uid and epoch 1"),
        (
            "The platform's key", 2,
            ["Write secret_keys", "Set the platform's", "Reload the process", "Empty the caches", "Take the old key"],
            "one key for all sites",
        ),
        ("The database's password", 1, ["Give the role the", "Put the new", RELOAD], "aviary__aurora at db.internal"),
        ("The cache's password", 1, ["Give the user a", "Put the new", RELOAD, "Take the old"], "at cache.internal"),
        ("The storage's keys", 1, ["Make a second", "Put both parts", RELOAD, "Take the old"], "bucket aviary--aurora"),
        ("The mail account's password", 1, ["Make a second", "Put the new", RELOAD, "Send a mail"], "aurora at mail."),
        ("The frontend cache's token", 1, ["Make a second", "Put it in", RELOAD, "Take the old"], "a1 at cloudflare"),
        ("The certificate's key", 1, ["Put the new cert", "Reload the front"], "in the file /srv/a.key"),
        (
            "own SECRET_KEY", 4,
            ["Put the old key in", "Put a new key of", RELOAD, "Empty the caches", "Take the old key"],
            "the site's own, in the registry itself",
        ),
    ],
)  # fmt: skip
def test_each_credential_has_its_steps(name: str, invalidates: int, steps: list[str], made: str) -> None:
    """They are in the order in which they are to be done; what a change makes invalid is told in full."""
    entry = all_of_them()[name]
    assert (len(entry.invalidates), len(entry.steps)) == (invalidates, len(steps))
    assert all(step.startswith(start) for step, start in zip(entry.steps, steps, strict=True))
    assert made in entry.made


def test_keyring_is_named_as_one() -> None:
    """A new key goes beside the others of a keyring; a site that names its own key has it said."""
    platform = a_platform(
        secret_key=None, secret_keys=(("a", Secret("k" * 50)),), key_id="a", sources={"secret_keys": "here"}
    )
    found = {entry.name: entry for entry in site_credentials(platform, a_site())}
    assert found["The platform's key"].made == "a keyring"
    assert found["The platform's key"].steps[0].startswith("Add the new key to the platform's secret_keys")
    named = {entry.name: entry for entry in site_credentials(platform, a_site(key_id="a"))}
    assert named["The platform's key"].made == "named a by the site"
