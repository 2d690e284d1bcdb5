"""Which registry a path or URL opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, HEAD
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.environment import EnvironmentRegistry
from wagtail_multihost.registry.toml import TomlRegistry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "my sites.toml"
    path.write_text(HEAD + AURORA)
    return path


def test_registry_opens_from_a_path(path: Path) -> None:
    """A path, as Path or text, is that of a TOML file."""
    for given in (path, str(path)):
        assert [site.id for site in open_registry(given, {}).load().sites] == ["aurora"]


def test_registry_opens_from_a_file_url(path: Path) -> None:
    """A file:// URL, percent-encoded, is the path of a TOML file."""
    registry = open_registry(path.as_uri(), {})
    assert isinstance(registry, TomlRegistry)
    assert registry.path == path


def test_registry_opens_from_the_variable(path: Path) -> None:
    """Without an argument MULTIHOST_REGISTRY says where the registry is."""
    registry = open_registry(None, {"MULTIHOST_REGISTRY": str(path)})
    assert registry.url == str(path)


def test_registry_argument_is_stronger_than_the_variable(path: Path) -> None:
    """An argument replaces the variable."""
    assert open_registry(path, {"MULTIHOST_REGISTRY": "postgres://x"}).url == str(path)


def test_registry_defaults_to_sites_toml_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without argument and variable the registry is sites.toml in the working folder."""
    monkeypatch.chdir(tmp_path)
    assert open_registry(None, {}).url == str(tmp_path / "sites.toml")


@pytest.mark.parametrize("url", ["env:", "env://"])
def test_registry_of_the_environment_opens(url: str) -> None:
    """env: is the environment that was given."""
    registry = open_registry(url, {})
    assert isinstance(registry, EnvironmentRegistry)
    assert registry.url == "env:"


@pytest.mark.parametrize("url", ["", " ", "\n"])
def test_registry_url_that_is_blank_is_refused(url: str) -> None:
    """A blank URL is an error, and never the default."""
    for argument, environ in ((url, {}), (None, {"MULTIHOST_REGISTRY": url})):
        with pytest.raises(ConfigurationError, match="blank") as refused:
            open_registry(argument, environ)
        assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_REGISTRY"]


@pytest.mark.parametrize(
    "url",
    [
        "http://[hunter2",
        "postgres://user:hunter2@db/registry",
        "file://host/hunter2",
        "://hunter2",
        "http://a/?token=hunter2",
    ],
)
def test_registry_url_of_an_unknown_kind_is_refused_without_repeating_it(url: str) -> None:
    """A URL of an unknown kind is refused, and the password that it may hold is not shown."""
    with pytest.raises(ConfigurationError, match="accepted") as refused:
        open_registry(url, {})
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_REGISTRY"]
    assert "hunter2" not in str(refused.value)


def test_registry_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error with its path, and with what to set."""
    with pytest.raises(ConfigurationError, match=r"no registry here\. Set MULTIHOST_REGISTRY or --registry") as refused:
        open_registry(tmp_path / "none.toml", {}).load()
    assert refused.value.problems[0].where == str(tmp_path / "none.toml")
