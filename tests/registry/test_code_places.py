"""Where a site's own code may lie: nowhere that another site, or an upload, can change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError


def refused(make: RegistryMaker, text: str) -> list[str]:
    """Return the problems of a registry; none when it is accepted."""
    try:
        make(text).load()
    except ConfigurationError as error:
        return [f"{problem.where}: {problem.message}" for problem in error.problems]
    return []


@pytest.mark.parametrize("key", ["directory", "virtualenv", "pythonpath"])
@pytest.mark.parametrize(
    ("folder", "other"),
    [
        ("HERE/data/sites/borealis/code", ""),
        ("HERE/data/sites/borealis", ""),
        ("/srv/b/media/code", 'storage = "file:///srv/b/media"\n'),
        ("/srv/b", 'database = "sqlite:////srv/b/db.sqlite3"\n'),
        ("/srv/b", 'storage = "file:///srv/b/media"\n'),
    ],
)
def test_code_is_apart_from_other_sites(
    registry: RegistryMaker, tmp_path: Path, key: str, folder: str, other: str
) -> None:
    """What another site writes to holds no code of this one, and lies in none of its folders of code."""
    value = f'["{folder}"]' if key == "pythonpath" else f'"{folder}"'
    text = f"{HEAD}{AURORA}code = {{ {key} = {value} }}\n{BOREALIS}{other}".replace("HERE", str(tmp_path))
    found = refused(registry, text)
    assert found
    assert all("aurora" in problem and "borealis" in problem and "code" in problem for problem in found)


@pytest.mark.parametrize("folder", ["/srv/media", "/srv/media/code"])
def test_code_is_apart_from_uploads(registry: RegistryMaker, folder: str) -> None:
    """Code below a site's own folder of uploads would be served to everyone, and an upload could become code."""
    own = f'storage = "file:///srv/media"\ncode = {{ directory = "{folder}" }}\n'
    (found,) = refused(registry, HEAD + AURORA + own)
    assert found.startswith(f"sites.toml: sites.aurora.code: The code '{folder}' of the site aurora is inside the")


@pytest.mark.parametrize(
    "own",
    [
        'code = { directory = "HERE/data/sites/aurora/code", virtualenv = "HERE/data/sites/aurora/venv" }\n',
        'code = { directory = "/srv/a", virtualenv = "/srv/a/venv" }\nstorage = "file:///srv/a/media"\n',
        'code = { directory = "/srv/a" }\ndatabase = "sqlite:////srv/a/db.sqlite3"\n',
    ],
)
def test_code_with_the_sites_own_things_is_accepted(registry: RegistryMaker, tmp_path: Path, own: str) -> None:
    """Code in the site's own folder, and a project with the site's uploads and database in it, are its own matter."""
    assert refused(registry, f"{HEAD}{AURORA}{own}{BOREALIS}".replace("HERE", str(tmp_path))) == []


def test_code_of_two_sites_may_be_one(registry: RegistryMaker) -> None:
    """Sites of one customer may share a project and a virtual environment."""
    code = 'code = { directory = "/srv/a", virtualenv = "/srv/a/venv" }\n'
    assert refused(registry, HEAD + AURORA + code + BOREALIS + code) == []


def test_link_in_the_sites_folder_does_not_get_the_registry_refused(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site that puts a link to its neighbour in the place of its code stops nobody's registry."""
    (tmp_path / "data/sites/aurora").mkdir(parents=True)
    (tmp_path / "data/sites/aurora/code").symlink_to(tmp_path / "data/sites/borealis")
    own = f'code = {{ directory = "{tmp_path}/data/sites/aurora/code" }}\n'
    assert refused(registry, HEAD + AURORA + own + BOREALIS) == []
