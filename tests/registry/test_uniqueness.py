"""What no two sites of one registry may share."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.spec.samples import a_site, files, postgresql, s3, sqlite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.uniqueness import conflicts
from wagtail_multihost.spec import derive_names

NETWORKED = 'database = { engine = "postgresql", host = "db", password = "p"'
BUCKET = 'storage = { backend = "s3", access_key = "a", secret_key = "s", bucket = "shared"'


@pytest.mark.parametrize(
    ("own", "other", "what"),
    [
        ('aliases = ["shared.example"]', 'aliases = ["shared.example"]', "hostname"),
        ("", 'aliases = ["AURORA.example.org"]', "hostname"),
        ('aliases = ["b\u00fccher.example"]', 'aliases = ["xn--bcher-kva.example"]', "hostname"),
        ('uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"', 'uid = "6F1C2B0E-4A0D-5C8E-9B1F-2D3C4B5A6978"', "uid"),
        ("", 'names = { bucket = "aviary--aurora" }', "bucket name"),
        ("", 'names = { key_prefix = "aviary.aurora" }', "key prefix"),
        ("", 'names = { socket = "aurora.sock" }', "socket"),
        ("", 'names = { database = "aviary__aurora" }', "database name"),
        ("", 'names = { role = "aviary__aurora" }', "role"),
        ("", 'names = { index_prefix = "aviary_aurora_" }', "index prefix"),
        ("", 'names = { index_prefix = "aviary_aurora_b_" }', "index prefix"),
        ("", 'names = { index_prefix = "aviary_" }', "index prefix"),
        ('database = "sqlite:///shared.db"', 'database = "sqlite:///./shared.db"', "file"),
        ('storage = "file:///srv/shared"', 'storage = "file:///srv/shared/"', "file"),
        ('database = "sqlite:////srv/shared"', 'storage = "file:///srv/shared"', "file"),
        (f'{NETWORKED}, name = "shared" }}', f'{NETWORKED}, name = "shared" }}', "database"),
        (f'{NETWORKED}, user = "shared" }}', f'{NETWORKED}, user = "shared" }}', "database user"),
        (f"{BUCKET} }}", f"{BUCKET} }}", "bucket"),
        (f'{BUCKET}, endpoint = "https://s3.example" }}', f'{BUCKET}, endpoint = "https://s3.example/" }}', "bucket"),
    ],
)
def test_sites_that_share_a_thing_are_refused(registry: RegistryMaker, own: str, other: str, what: str) -> None:
    """Whatever two sites share is one problem that names the thing and both sites."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{HEAD}{AURORA}{own}\n{BOREALIS}{other}\n").load()
    [problem] = refused.value.problems
    assert problem.message.startswith(f"The {what} '")
    assert {"aurora", "borealis"} <= set(problem.message.replace(";", "").split())
    assert {problem.site} <= {"aurora", "borealis"}


def test_sites_that_share_a_hostname_are_told_where_it_is_written(registry: RegistryMaker) -> None:
    """The problem of a shared hostname has the key of the second site that has it."""
    with pytest.raises(ConfigurationError) as refused:
        registry(HEAD + AURORA + '[sites.borealis]\nhostnames = ["aurora.example.org"]\n').load()
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: sites.borealis.hostnames"]


def test_sites_with_the_same_names_on_different_servers_are_accepted(registry: RegistryMaker) -> None:
    """The same bucket, database and user name on another server are other things."""
    own = f'{BUCKET} }}\ndatabase = {{ engine = "postgresql", host = "a", password = "p", name = "n", user = "u" }}\n'
    other = own.replace('"a", password', '"b", password').replace(" }\nd", ', endpoint = "https://s3.example" }\nd')
    assert len(registry(HEAD + AURORA + own + BOREALIS + other).load().sites) == 2


def test_sites_that_are_disabled_keep_what_is_theirs(registry: RegistryMaker) -> None:
    """A disabled site's hostname is not free: it may be enabled again."""
    with pytest.raises(ConfigurationError, match="belongs to the sites"):
        registry(HEAD + AURORA + "enabled = false\n" + BOREALIS + 'aliases = ["aurora.example.org"]\n').load()


def test_sites_whose_shortened_names_were_made_to_collide_are_refused() -> None:
    """A site id made to equal another site's shortened database name is found."""
    long = derive_names("p" * 20, "a" * 40)
    imitation = long.database.removeprefix(f"{'p' * 20}__").replace("_", "-")
    copied = derive_names("p" * 20, imitation)
    assert copied.database == long.database
    sites = [
        a_site(id=name, names=names, hostnames=(f"{name}.example",), aliases=(), database=database, storage=storage)
        for name, names, database, storage in (
            ("a" * 40, long, postgresql(name="x", user="x"), s3(bucket="one")),
            (imitation, copied, sqlite(), files()),
        )
    ]
    found = {problem.message.split(" '")[0] for problem in conflicts(sites)}
    assert found >= {"The database name", "The role"}


def test_one_site_never_conflicts_with_itself() -> None:
    """A site alone has no conflicts."""
    assert list(conflicts([a_site()])) == []


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
    assert all(" lies in the " in problem.message for problem in caught.value.problems)


def test_folders_beside_each_other_are_accepted(registry: RegistryMaker) -> None:
    """Names that only start alike, and a site's own folder, are no overlap."""
    own = 'storage = "file:///srv/media"\ndatabase = "sqlite:///data/sites/aurora/other.sqlite3"'
    other = 'storage = "file:///srv/media-borealis"'
    assert len(registry(f"{HEAD}\n{AURORA}\n{own}\n{BOREALIS}\n{other}\n").load().sites) == 2


def test_key_prefix_of_another_sites_cache_alias_is_refused(registry: RegistryMaker) -> None:
    """A pinned prefix cannot be the one that a further cache alias of a neighbour gets."""
    with pytest.raises(ConfigurationError) as caught:
        registry(f'{HEAD}\n{AURORA}\n{BOREALIS}\nnames = {{ key_prefix = "aviary.aurora.renditions" }}\n').load()
    assert "key prefix" in caught.value.problems[0].message


@pytest.mark.parametrize("path", ["/", "//srv/media"])
def test_folder_with_two_spellings_is_refused(registry: RegistryMaker, path: str) -> None:
    """The root of all files, and a path with two slashes at its start (another name for the same), are no folder."""
    with pytest.raises(ConfigurationError) as caught:
        registry(f'{HEAD}\n{AURORA}\nstorage = {{ path = "{path}" }}\n').load()
    assert [problem.where for problem in caught.value.problems] == ["sites.toml: sites.aurora.storage.path"]
