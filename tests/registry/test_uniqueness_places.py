"""Whose local files may lie where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.spec.samples import a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.claims import site_label
from wagtail_multihost.registry.places import Links


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ('storage = "file:data"', ""),
        ('storage = "file:///srv"', 'storage = "file:///srv/borealis"'),
        ('storage = "file:data/sites/borealis"', ""),
        ('storage = "file:data/sites/borealis/media/own"', ""),
        ('storage = "file:data/sites/aurora"', ""),
        ('database = "sqlite:///data/sites/borealis/db2.sqlite3"', ""),
        ('storage = "file:///srv/a"', 'database = "sqlite:////srv/a/images/db.sqlite3"'),
    ],
)
def test_folder_that_holds_what_is_not_its_own_is_refused(registry: RegistryMaker, own: str, other: str) -> None:
    """No site's files lie where another site's code, or every visitor, can reach them; nor does the platform's key."""
    here = registry("").path.parent
    text = f"{HEAD}\n{AURORA}\n{own}\n{BOREALIS}\n{other}\n".replace("file:data", f"file://{here}/data")
    with pytest.raises(ConfigurationError) as caught:
        registry(text).load()
    assert all(" is inside the " in problem.message for problem in caught.value.problems)


def test_folders_beside_each_other_are_accepted(registry: RegistryMaker) -> None:
    """Names that only start alike, and a site's own folder, are no overlap."""
    own = 'storage = "file:///srv/media"\ndatabase = "sqlite:///data/sites/aurora/other.sqlite3"'
    other = 'storage = "file:///srv/media-borealis"'
    assert len(registry(f"{HEAD}\n{AURORA}\n{own}\n{BOREALIS}\n{other}\n").load().sites) == 2


def problems_of(make: RegistryMaker, text: str, **options: object) -> list[str]:
    """Return the messages of a registry's problems, with the keys in front of them."""
    with pytest.raises(ConfigurationError) as caught:
        make(text).load(**options)  # type: ignore[arg-type]
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("link", "own", "other"),
    [
        ("media-b -> media-a", 'storage = "file:///HERE/media-a"', 'storage = "file:///HERE/media-b"'),
        ("up-b -> up-a", 'storage = "file:///HERE/up-a/media"', 'storage = "file:///HERE/up-b/media"'),
        ("up-b -> .", 'storage = "file:///HERE/m"', 'storage = "file:///HERE/up-b/up-b/m"'),
        ("b.db -> a.db", 'database = "sqlite:////HERE/a.db"', 'database = "sqlite:////HERE/b.db"'),
        ("b.db -> media/a.db", 'storage = "file:///HERE/media"', 'database = "sqlite:////HERE/b.db"'),
        ("data/sites/borealis -> data/sites/aurora", "", ""),
    ],
)
def test_folder_is_the_same_by_every_symbolic_link(
    registry: RegistryMaker, tmp_path: Path, link: str, own: str, other: str
) -> None:
    """Two names of one folder or file are one folder or file."""
    name, target = link.split(" -> ")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).symlink_to(target if target == "." else tmp_path / target)
    here = str(tmp_path).strip("/")
    found = problems_of(registry, f"{HEAD}{AURORA}{own}\n{BOREALIS}{other}\n".replace("HERE", here))
    assert all("aurora" in problem and "borealis" in problem for problem in found)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal", "-wal/media"])
@pytest.mark.parametrize("site", ["aurora", "borealis"])
def test_folder_in_the_place_of_a_databases_own_file_is_refused(
    registry: RegistryMaker, suffix: str, site: str
) -> None:
    """SQLite makes files beside a database; no site's folder may be there, its own included."""
    database, storage = 'database = "sqlite:////srv/a-wal/a.db"\n', f'storage = "file:///srv/a-wal/a.db{suffix}"\n'
    own, other = (database + storage, "") if site == "aurora" else (database, storage)
    (found,) = problems_of(registry, HEAD + AURORA + own + BOREALIS + other)
    assert f"is inside the database of the site aurora, '/srv/a-wal/a.db{suffix.partition('/')[0]}'" in found
    assert found.startswith(f"sites.toml: sites.{site}.storage: ")


@pytest.mark.parametrize(
    ("head", "own", "what"),
    [
        ("", 'storage = "file:///HERE"', "registry"),
        ("", 'storage = "file:///HERE/sites.toml"', "registry"),
        ("", 'database = "sqlite:////HERE/data/platform.key"', "key"),
        ('sockets = "/HERE/sockets"', 'database = "sqlite:////HERE/sockets/db"', "folder of sockets"),
        ('sockets = "/HERE/media/sockets"', 'storage = "file:///HERE/media"', "folder of sockets"),
        ('secret_key_file = "media/key"', 'storage = "file:///HERE/media"', "secret file"),
        ('key_id = "k"\nsecret_keys = { k_file = "media/key" }', 'storage = "file:///HERE/media"', "secret file"),
        ("", 'storage = "file:///HERE/media"\nsecret_key_file = "media/key"', "secret file"),
        ("", 'cache = { backend = "redis", host = "c", password_file = "data/sites/borealis/p" }', "secret file"),
        (
            "",
            'database = "sqlite:////HERE/p"\nmail = { host = "m", username = "u", password_file = "p" }',
            "secret file",
        ),
        ("", 'frontend = { backend = "cloudflare", zone = "z", token_file = "data/sites/borealis/t" }', "secret file"),
        ("", 'storage = "file:///HERE/tls"\ntls = { certificate = "/c", key = "/HERE/tls/{hostname}.pem" }', "TLS key"),
        ("", 'tls = { certificate = "/c", key = "/HERE/data/sites/borealis/{site}" }', "TLS key"),
        ("", 'storage = "file:///HERE/static/media"', "folder of static files"),
        ("", 'storage = "file:///HERE"', "folder of static files"),
    ],
)
def test_folder_and_what_is_protected_never_hold_each_other(
    registry: RegistryMaker, tmp_path: Path, head: str, own: str, what: str
) -> None:
    """Registry, keys, secret files, sockets and static files are never where a site writes or serves uploads."""
    here = str(tmp_path).strip("/")
    platform = HEAD.partition("secret_key")[0] if "secret_key" in head else HEAD
    text = f"{platform}{head}\n{AURORA}{own}\n{BOREALIS}".replace("HERE", here)
    found = problems_of(registry, text, protected=[("folder of static files", tmp_path / "static")])
    assert any(f"The {what} '" in problem or f"inside the {what} of " in problem for problem in found)
    assert any(problem.startswith("sites.toml: sites.aurora") for problem in found)


def test_secret_files_may_be_shared_and_lie_in_the_sites_own_folder(registry: RegistryMaker) -> None:
    """A password file in the site's folder is its own, and two sites may have one password."""
    own = 'cache = {{ backend = "redis", host = "c", password_file = "{}" }}\n'
    text = HEAD + AURORA + own.format("data/sites/aurora/p") + BOREALIS + own.format("shared")
    third = '[sites.corona]\nhostnames = ["corona.example.org"]\n' + own.format("shared")
    assert len(registry(text + third).load().sites) == 3


def test_links_of_a_path_that_is_too_long_are_no_error(tmp_path: Path) -> None:
    """A path that no file can have, and a circle of links, stay what they are."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    links = Links()
    for path in (f"/{'a/' * 3000}b", f"/{'a' * 5000}/b", str(tmp_path / "a" / "c"), "/a\0b/c"):
        assert links.real(path).startswith("/")


def test_links_are_looked_at_once_for_each_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked for in a folder that is missing, and no folder is asked for twice."""
    asked: list[str] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: asked.append(str(path)) or lstat(path))
    links = Links()
    for number in range(50):
        links.real(f"{tmp_path}/missing/{number}/db")
    assert len(asked) == len(set(asked)) == len(tmp_path.parts)


def test_problem_is_told_under_the_sites_own_key() -> None:
    """A key that the platform states is not where a site's problem is mended: its record is."""
    site = a_site(sources={"id": "f: sites.a", "cache": "f: platform.cache", "storage": "f: sites.a.storage"})
    assert [site_label(site, key) for key in ("storage", "cache", "none")] == [
        "f: sites.a.storage",
        "f: sites.a",
        "f: sites.a",
    ]
    assert site_label(a_site(), "storage") == "sites.aurora"


@pytest.mark.parametrize("path", ["/", "//srv/media"])
def test_folder_with_two_spellings_is_refused(registry: RegistryMaker, path: str) -> None:
    """The root of all files, and a path with two slashes at its start (another name for the same), are no folder."""
    with pytest.raises(ConfigurationError) as caught:
        registry(f'{HEAD}\n{AURORA}\nstorage = {{ path = "{path}" }}\n').load()
    assert [problem.where for problem in caught.value.problems] == ["sites.toml: sites.aurora.storage.path"]


def test_link_that_a_site_made_in_its_own_folder_gets_nobody_refused(tmp_path: Path) -> None:
    """A site's uploads may lead into its neighbour's folder: that is the site's fault, and stops no command."""
    homes = tmp_path / "data" / "sites"
    (homes / "aurora").mkdir(parents=True)
    (homes / "borealis").mkdir()
    (homes / "aurora" / "media").symlink_to(homes / "borealis")
    path = tmp_path / "sites.toml"
    tables = "".join(f'[sites.{site}]\nhostnames = ["{site}.example.org"]\n' for site in ("aurora", "borealis"))
    path.write_text(f'[platform]\nname = "aviary"\n{tables}')
    assert [site.id for site in open_registry(path, {}).load().sites] == ["aurora", "borealis"]
