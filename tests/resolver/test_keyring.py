"""The platform's keys: a rotation, and what was written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site, secret_file
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.pins import PinChoices, pin_sites
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver.secret_key import secret_key_settings, with_own_keys
from wagtail_multihost.spec import Secret

OLD, NEW = "old-platform-key-0123456789-0123456789", "new-platform-key-0123456789-0123456789"
SITES = """
[sites.aurora]
hostnames = ["aurora.example.org"]
[sites.borealis]
hostnames = ["borealis.example.org"]
epoch = 4
"""
OWN_KEY = "own-key-" * 8

Keys = dict[str, tuple[str, list[str]]]


def keys_of(folder: Path, platform: str, sites: str = SITES) -> Keys:
    """Return SECRET_KEY and its fallbacks of every site of a registry in ``folder``."""
    path = folder / "sites.toml"
    path.write_text(f'[platform]\nname = "aviary"\n{platform}\n{sites}')
    return keys_in(path)


def keys_in(path: Path) -> Keys:
    registry = open_registry(path, {})
    found: dict[str, Any] = {}
    for site in registry.load().sites:
        values = values_of(secret_key_settings(*registry.site(site.id)))
        found[site.id] = (values["SECRET_KEY"], values["SECRET_KEY_FALLBACKS"])
    return found


def ring(current: str) -> str:
    return f'key_id = "{current}"\nsecret_keys = {{ "2025" = "{OLD}", "2026" = "{NEW}" }}'


def test_keyring_rotation_signs_nobody_out(tmp_path: Path) -> None:
    """In each step of a rotation, what any process of the step before has signed is still read."""
    steps = [f'secret_key = "{OLD}"', ring("2025"), ring("2026"), f'secret_key = "{NEW}"']
    before, old, new, after = (keys_of(tmp_path, step) for step in steps)
    for site in ("aurora", "borealis"):
        # The new key is known before it is used, so that processes can be restarted one by one.
        assert old[site][0] == before[site][0]
        assert new[site][0] in old[site][1]
        assert old[site][0] in new[site][1]
        assert after[site][0] == new[site][0]
        assert new[site][0] != old[site][0]


def test_keyring_may_be_rotated_site_by_site(tmp_path: Path) -> None:
    """A site that names a key uses it, whatever the platform's choice is."""
    sites = SITES.replace("epoch = 4", 'epoch = 4\nkey_id = "2025"')
    old, mixed, new = (
        keys_of(tmp_path, ring(current), text) for current, text in (("2025", SITES), ("2026", sites), ("2026", SITES))
    )
    assert mixed["borealis"][0] == old["borealis"][0]
    assert mixed["aurora"][0] == new["aurora"][0]


def test_keyring_without_the_key_of_a_site_is_an_error(tmp_path: Path) -> None:
    """A key id that the platform does not have is refused, never another key taken."""
    with pytest.raises(ConfigurationError) as refused:
        keys_of(tmp_path, ring("2026"), SITES.replace("epoch = 4", 'key_id = "2024"'))
    assert "2024" in str(refused.value)


def test_keys_come_back_from_the_written_down_key_and_the_pinned_registry(tmp_path: Path) -> None:
    """On another machine, with the text of the key and the registry's file alone, every site has the keys it had."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    keys = keys_of(first, "")
    pin_sites(open_registry(first / "sites.toml", {}), PinChoices(keeps_all=True))
    written_down = (first / "data" / "platform.key").read_text().strip()
    registry = (first / "sites.toml").read_text()
    for path in sorted(first.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    secret_file(second / "escrow", written_down)  # typed by hand, without the newline
    (second / "sites.toml").write_text(registry.replace("[platform]", '[platform]\nsecret_key_file = "escrow"'))
    assert keys_in(second / "sites.toml") == keys


def test_pinned_keys_survive_a_new_name_of_the_platform(tmp_path: Path) -> None:
    """Keys follow the pinned uid: neither the platform's name nor the site's id or hosts are part of them."""
    keys = keys_of(tmp_path, f'secret_key = "{OLD}"')
    path = tmp_path / "sites.toml"
    pin_sites(open_registry(path, {}), PinChoices(keeps_all=True))
    text = path.read_text().replace('name = "aviary"', 'name = "menagerie"').replace(".example.org", ".example.net")
    path.write_text(text.replace("sites.aurora", "sites.dawn"))
    renamed = keys_in(path)
    assert (renamed["dawn"], renamed["borealis"]) == (keys["aurora"], keys["borealis"])


def test_own_keys_of_a_site_are_those_that_derive(tmp_path: Path) -> None:
    """A site with the derived keys as its own has the same settings without the platform's key."""
    keys_of(tmp_path, ring("2026"))
    platform, site = open_registry(tmp_path / "sites.toml", {}).site("borealis")
    own = with_own_keys(platform, site)
    without, _ = open_registry(tmp_path / "sites.toml", {}).site("borealis", reads_secrets=False)
    assert without.keyring == {}
    assert values_of(secret_key_settings(without, own)) == values_of(secret_key_settings(platform, site))


def test_stated_keys_of_a_site_stay_its_own() -> None:
    """A site that states its key keeps it and its fallbacks."""
    site = a_site(secret_key=Secret(OWN_KEY), secret_key_fallbacks=(Secret("older"),), key_id="2025")
    with_keys = with_own_keys(a_platform(), site)
    assert (with_keys.secret_key, with_keys.secret_key_fallbacks) == (site.secret_key, site.secret_key_fallbacks)
    assert with_keys.key_id == ""
