"""Reading one site of a registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError

NETWORKED = '[sites.aurora]\nhostnames = ["a.example"]\n[sites.aurora.database]\nengine = "postgresql"\nhost = "h"\n'


def refused(make: RegistryMaker, text: str, site: str = "aurora") -> ConfigurationError:
    with pytest.raises(ConfigurationError) as found:
        make(text).site(site)
    return found.value


@pytest.mark.parametrize("site", ["corona", "", " ", "Aurora", "aurora ", "aurora\n", "../aurora", "*"], ids=ascii)
def test_site_that_is_unknown_is_refused(registry: RegistryMaker, site: str) -> None:
    """An id that the registry does not have is an error, and never another site."""
    error = refused(registry, HEAD + AURORA + BOREALIS, site)
    assert "has no site" in str(error)
    assert str(error).isascii()


def test_site_that_is_misspelt_gets_a_suggestion(registry: RegistryMaker) -> None:
    """An unknown id is answered with the nearest known one."""
    assert "Did you mean borealis?" in str(refused(registry, HEAD + AURORA + BOREALIS, "boreals"))


def test_site_that_is_disabled_is_refused(registry: RegistryMaker) -> None:
    """A disabled site is loaded with the others, but not resolved."""
    text = HEAD + AURORA + "enabled = false\n" + BOREALIS
    assert "disabled" in str(refused(registry, text))
    contents = registry(text).load()
    assert [site.id for site in contents.sites] == ["aurora", "borealis"]
    assert [site.id for site in contents.enabled] == ["borealis"]


def test_site_is_read_whatever_its_neighbours_records_say(registry: RegistryMaker) -> None:
    """A mistake in one site's record does not stop another site."""
    opened = registry(HEAD + AURORA + BOREALIS + 'enabled = "?"\ndatabase = "nonsense"\nuid = 7\n')
    assert opened.site("aurora")[1].id == "aurora"
    with pytest.raises(ConfigurationError):
        opened.site("borealis")


def test_site_does_not_read_its_neighbours_secrets(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site is read without the secret files of the others."""
    line = 'database = { engine = "postgresql", host = "h", password_file = "none" }\n'
    assert registry(HEAD + AURORA + BOREALIS + line).site("aurora")[1].id == "aurora"


def test_site_stops_at_mistakes_of_the_platform(registry: RegistryMaker) -> None:
    """A mistake in the platform's table is an error for every site."""
    error = refused(registry, HEAD + 'origin = "nowhere"\n' + AURORA)
    assert [problem.where for problem in error.problems] == ["sites.toml: platform.origin"]


@pytest.mark.parametrize(
    ("line", "key", "message"),
    [
        ('password_file = "none"', "password_file", "No such file"),
        ('password_file = "blank"', "password_file", "The secret is blank."),
        ('password = "env:NONE"', "password", "NONE is not set"),
        ('password = "env:BLANK"', "password", "The secret is blank."),
    ],
)
def test_site_with_a_secret_that_cannot_be_read_is_refused(
    registry: RegistryMaker, tmp_path: Path, line: str, key: str, message: str
) -> None:
    """Secrets are read where the site is read, so that a missing one is an error at the start."""
    secret_file(tmp_path / "blank", "\n")
    opened = registry(f"{HEAD}{NETWORKED}{line}\n", {"BLANK": " "})
    with pytest.raises(ConfigurationError) as found:
        opened.site("aurora")
    assert [problem.where for problem in found.value.problems] == [f"sites.toml: sites.aurora.database.{key}"]
    assert message in str(found.value)
    assert opened.site("aurora", reads_secrets=False)[1].id == "aurora"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('secret_key_file = "none"', "secret_key_file"),
        ('secret_key_file = "short"', "secret_key_file"),
        ('secret_key = "env:NONE"', "secret_key"),
        ('secret_key = "short"', "secret_key"),
        ('secret_key = ""', "secret_key"),
    ],
)
def test_site_of_a_platform_without_a_usable_key_is_refused(
    registry: RegistryMaker, tmp_path: Path, line: str, key: str
) -> None:
    """A platform key that is missing, blank or short is an error under the key as it was written."""
    secret_file(tmp_path / "short", "short-hunter2\n")
    error = refused(registry, f'[platform]\nname = "aviary"\n{line}\n{AURORA}')
    assert {problem.where for problem in error.problems} == {f"sites.toml: platform.{key}"}
    assert "hunter2" not in str(error)
    assert not (tmp_path / "data").exists()


def test_site_of_a_production_platform_must_be_pinned(registry: RegistryMaker) -> None:
    """In production a site whose uid and names are only derived is refused, with the command that pins it."""
    text = HEAD + 'environment = "production"\n' + AURORA
    error = refused(registry, text)
    assert [problem.where for problem in error.problems] == ["sites.toml: sites.aurora"]
    assert "multihost_sites --pin" in str(error)
    with pytest.raises(ConfigurationError, match="not pinned"):
        registry(text).load()
    assert registry(text).load(requires_pins=False).sites[0].pinned is False


UID = 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\n'
PINS = (
    'names = { database = "a", role = "a", bucket = "abc", key_prefix = "a", index_prefix = "a_", socket = "a.sock" }\n'
)


@pytest.mark.parametrize("lines", [UID, PINS, 'names = { database = "a" }\n', f'{UID}names = {{ database = "a" }}\n'])
def test_site_that_is_pinned_in_part_is_not_pinned(registry: RegistryMaker, lines: str) -> None:
    """In production the uid and every name must be pinned."""
    assert "not pinned" in str(refused(registry, HEAD + 'environment = "production"\n' + AURORA + lines))


def test_site_that_is_pinned_is_accepted_in_production(registry: RegistryMaker) -> None:
    """A site with its uid and every name in the registry is accepted, with those names."""
    _, site = registry(HEAD + 'environment = "production"\n' + AURORA + UID + PINS).site("aurora")
    assert site.pinned
    assert (site.names.database, site.names.bucket, site.names.socket) == ("a", "abc", "a.sock")
