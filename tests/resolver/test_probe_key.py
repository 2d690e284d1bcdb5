"""The probe key of a site: its own, or derived from the platform's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import PLATFORM_KEY, a_platform, a_site
from wagtail_multihost.resolver.explain import explain, site_facts
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.rotation import site_credentials
from wagtail_multihost.resolver.secret_key import find_probe_key, with_own_keys
from wagtail_multihost.spec import PlatformSpec, Secret, SiteSpec
from wagtail_multihost.spec.keys import derive_probe_key
from wagtail_multihost.spec.proofs import is_probe_key, make_probe_key

# HKDF of the cryptography package, as in tests/spec/test_keys.py, with the key, UID and epoch below.
FIXED = "4lzC4fAAkxcONXsIjPcBicgAvOy_90JqAB8zMaLZ4Qo"
UID = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")
OWN = make_probe_key()
RING = {"secret_key": None, "secret_keys": (("2025", Secret(f"{PLATFORM_KEY}5")), ("2026", Secret(f"{PLATFORM_KEY}6")))}


def key_of(platform: PlatformSpec, site: SiteSpec) -> str:
    found = find_probe_key(platform, site)
    return found.reveal() if found else ""


def test_derived_key_is_fixed_for_its_inputs() -> None:
    """The rule is fixed: a change would make every site another one for its monitors."""
    assert derive_probe_key(Secret("0123456789" * 5), UID, 1).reveal() == FIXED


@pytest.mark.parametrize(
    ("platform", "site"),
    [
        (a_platform(), a_site(uid=UUID("7f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"))),
        (a_platform(), a_site(epoch=2)),
        (a_platform(secret_key=Secret(f"{PLATFORM_KEY}x")), a_site()),
    ],
    ids=["uid", "epoch", "platform key"],
)
def test_derived_key_differs_per_site_epoch_and_platform_key(platform: PlatformSpec, site: SiteSpec) -> None:
    found = key_of(platform, site)
    assert is_probe_key(found)
    assert found != key_of(a_platform(), a_site())


def test_derived_keys_of_a_site_say_nothing_of_each_other() -> None:
    """Who has the one cannot make the other: each has a label of its own."""
    site = with_own_keys(a_platform(), a_site())
    assert site.secret_key and site.probe_key
    # Base64 of the same 32 bytes would begin alike.
    assert site.secret_key.reveal()[:40] != site.probe_key.reveal()[:40]


def test_own_key_comes_first() -> None:
    assert key_of(a_platform(), a_site(probe_key=OWN)) == OWN.reveal()
    assert with_own_keys(a_platform(), a_site(probe_key=OWN)).probe_key == OWN


def test_key_of_the_chosen_generation_is_derived() -> None:
    """By the platform's choice, or else by the site's."""
    platform = a_platform(**RING, key_id="2026")
    assert key_of(platform, a_site()) == derive_probe_key(Secret(f"{PLATFORM_KEY}6"), a_site().uid, 1).reveal()
    assert key_of(platform, a_site(key_id="2025")) != key_of(platform, a_site())


@pytest.mark.parametrize("site", [a_site(), a_site(secret_key=Secret("k" * 50), key_id="2020")], ids=["", "own"])
def test_site_without_any_key_has_none(site: SiteSpec) -> None:
    """As on a node of a fleet, which has no platform's key; nor does one derive from a key that is not there."""
    assert find_probe_key(a_platform(secret_key=None), site) is None
    if site.secret_key:
        assert with_own_keys(a_platform(**RING, key_id="2026"), site).probe_key is None


def test_site_with_a_secret_key_of_its_own_has_a_derived_probe_key_too() -> None:
    site = with_own_keys(a_platform(), a_site(secret_key=Secret("k" * 50)))
    assert site.probe_key and is_probe_key(site.probe_key.reveal())


@pytest.mark.parametrize("site", [a_site(), a_site(probe_key=OWN)], ids=["derived", "own"])
def test_no_setting_and_no_fact_has_the_key(site: SiteSpec) -> None:
    """It is in no setting of Django's, so no page and no command that shows settings has it."""
    resolved = ResolvedSettings(a_platform(), site)
    shown: Any = [values_of(resolved.settings({})), explain(resolved, {}), site_facts(resolved)]
    shown += [site_facts(ResolvedSettings(a_platform(), with_own_keys(a_platform(), site))), resolved]
    shown += [with_own_keys(a_platform(), site), *site_credentials(a_platform(), site)]
    assert key_of(a_platform(), site) not in repr(shown)


@pytest.mark.parametrize(
    ("platform", "site", "made"),
    [
        (a_platform(), a_site(epoch=4), "HKDF of the platform's key with the site's uid and epoch 4"),
        (a_platform(), a_site(probe_key=OWN), "the site's own, in the registry itself"),
        (a_platform(secret_key=None), a_site(epoch=4), "HKDF of the platform's key with the site's uid and epoch 4"),
        (a_platform(secret_key=None), a_site(secret_key=Secret("k" * 50)), ""),
    ],
    ids=["derived", "own", "not read", "none"],
)
def test_credentials_say_where_it_is_and_what_a_change_does(platform: PlatformSpec, site: SiteSpec, made: str) -> None:
    found = [one for one in site_credentials(platform, site) if one.name == "The probe key"]
    assert [one.made for one in found] == ([made] if made else [])
    assert all("takes the site for another one" in one.invalidates[0] for one in found)
    key = key_of(platform, site)
    assert not key or key not in repr(found)
