"""Sites in several places, and the accounts that sites run as."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, PLATFORM_KEY, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry import open_registry

NODES = 'nodes = { app-1 = "10.0.0.5:8080", app-2 = "10.0.0.6:8080", app-3 = "10.0.0.7:8080" }\n'
DATABASE = 'database = "postgresql://aurora:word@db.internal/aurora"\n'
CACHE = 'cache = "redis://cache.internal"\n'
STORAGE = 'storage = "s3://aviary--aurora"\n'
SHARED = DATABASE + CACHE + STORAGE
LOCAL = {"database": "a SQLite database", "cache": "a cache in local memory", "storage": "local files"}
ACCEPTED = {"database": "postgresql", "cache": "redis", "storage": "s3"}


def problems_of(make: RegistryMaker, text: str) -> tuple[Problem, ...]:
    """Return the problems of a registry; none when it is accepted."""
    try:
        make(text).load()
    except ConfigurationError as error:
        return error.problems
    return ()


def keys_of(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.where.rpartition(".")[2] for problem in problems]


@pytest.mark.parametrize("nodes", ["", 'nodes = ["app-1", "app-3"]\n'])
def test_site_on_several_nodes_is_refused_with_what_is_on_one_alone(registry: RegistryMaker, nodes: str) -> None:
    """Database, cache and files by default are reported at once, each with what is found and what is accepted."""
    found = problems_of(registry, HEAD + NODES + AURORA + nodes)
    assert [problem.where for problem in found] == [f"sites.toml: sites.aurora.{key}" for key in LOCAL]
    assert {problem.site for problem in found} == {"aurora"}
    second = "'app-3' serve" if nodes else "'app-2' and 1 more serve"
    for problem, (key, words) in zip(found, LOCAL.items(), strict=True):
        assert f"each would have {words} of its own; accepted: {ACCEPTED[key]}, or one node" in problem.message
        assert problem.message.startswith(f"The nodes 'app-1', {second}")


@pytest.mark.parametrize(
    ("stated", "refused"),
    [
        (SHARED, []),
        (CACHE + STORAGE, ["database"]),
        (DATABASE + STORAGE, ["cache"]),
        (DATABASE + CACHE, ["storage"]),
        ('database = "sqlite:////srv/a.db"\n' + CACHE + STORAGE, ["database"]),
        (DATABASE + 'cache = { backend = "locmem" }\n' + STORAGE, ["cache"]),
        (DATABASE + CACHE + 'storage = "file:///srv/media"\n', ["storage"]),
    ],
)
def test_only_what_is_on_one_machine_is_refused(registry: RegistryMaker, stated: str, refused: list[str]) -> None:
    """PostgreSQL, Redis and S3 are accepted, and each other part is refused by itself, stated or not."""
    assert keys_of(problems_of(registry, HEAD + NODES + AURORA + stated)) == refused


@pytest.mark.parametrize(
    ("platform", "site"),
    [
        ("", ""),
        ('nodes = { app-1 = "10.0.0.5:8080" }\n', ""),
        (NODES, 'nodes = ["app-2"]\n'),
        (NODES, 'nodes = ["app-2", "app-2"]\n'),
    ],
)
def test_site_on_one_machine_may_have_local_things(registry: RegistryMaker, platform: str, site: str) -> None:
    """A platform without nodes, or with one, and a site on one node of several, have all on one machine."""
    assert problems_of(registry, HEAD + platform + AURORA + site) == ()


def test_what_the_platform_gives_its_sites_counts(registry: RegistryMaker) -> None:
    """A cache of the platform's is the site's, and a folder of the platform's too."""
    shared = 'cache = "redis://cache.internal"\nstorage = { path = "/srv/{site}/media" }\n'
    found = problems_of(registry, HEAD + NODES + shared + AURORA + DATABASE)
    assert [problem.where for problem in found] == ["sites.toml: sites.aurora.storage"]


def test_every_site_is_reported_at_once(registry: RegistryMaker) -> None:
    """The problems of several sites, and their other problems, are in one report."""
    text = HEAD + NODES + AURORA + "epoch = 0\n" + BOREALIS + CACHE + STORAGE.replace("aurora", "borealis")
    found = problems_of(registry, text)
    assert sorted({problem.site for problem in found}) == ["aurora", "borealis"]
    assert keys_of(found) == ["database", "cache", "storage", "epoch", "database"]


def test_part_with_a_mistake_is_reported_for_that_alone(registry: RegistryMaker) -> None:
    """What stands in for a database that could not be read is not taken for SQLite."""
    mistaken = 'database = { engine = "postgresql", host = "db.internal" }\n'
    (found,) = problems_of(registry, HEAD + NODES + AURORA + mistaken + CACHE + STORAGE)
    assert "needs a password" in found.message


def test_process_of_a_site_on_several_nodes_does_not_start_with_local_things(registry: RegistryMaker) -> None:
    """A process that reads its own site alone is refused as well."""
    with pytest.raises(ConfigurationError) as caught:
        registry(HEAD + NODES + AURORA).site("aurora")
    assert keys_of(caught.value.problems) == list(LOCAL)


def test_nodes_in_variables_are_refused_under_the_names_of_variables() -> None:
    """A site described by variables is refused under MULTIHOST_SITE_ names, all at once, where it starts and loads."""
    variables = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_PLATFORM_SECRET_KEY": PLATFORM_KEY,
        "MULTIHOST_PLATFORM_NODES__APP": "10.0.0.5:8080",
        "MULTIHOST_PLATFORM_NODES__BPP": "10.0.0.6:8080",
    }
    registry = open_registry("env:", variables)
    for read in (registry.load, lambda: registry.site("aurora")):
        with pytest.raises(ConfigurationError) as caught:
            read()
        assert [problem.where for problem in caught.value.problems] == [
            f"MULTIHOST_SITE_{key.upper()}" for key in LOCAL
        ]


@pytest.mark.parametrize("key", ["user", "group", "media_group"])
def test_account_that_linux_does_not_know_is_refused(registry: RegistryMaker, key: str) -> None:
    """An account has at most 32 characters with the site's id in it; the report names the site."""
    head, long = f'{HEAD}storage = "file:///srv/uploads/{{site}}"\n{key} = "site-{{site}}"\n', "a" * 28
    sites = f'{AURORA}[sites.{long}]\nhostnames = ["b.example.org"]\n'
    (found,) = problems_of(registry, head + sites)
    assert (found.where, found.site) == (f"sites.toml: platform.{key}", long)
    assert f"'site-{long}' of the site {long} has 33 characters; at most 32 are possible." in found.message
    assert problems_of(registry, head + sites.replace(long, long[1:])) == ()


@pytest.mark.parametrize(
    ("template", "site"), [("{site}", "root"), ("{site}", "postgres"), ("{site}-data", "www"), ("s{site}", "hadow")]
)
@pytest.mark.parametrize("key", ["user", "group", "media_group"])
def test_site_never_has_an_account_of_the_system(registry: RegistryMaker, key: str, template: str, site: str) -> None:
    """No name of a site makes it root, a server's account or a group that reads others' files."""
    storage = 'storage = "file:///srv/uploads/{site}"'
    text = f'{HEAD}{storage}\n{key} = "{template}"\n[sites.{site}]\nhostnames = ["a.example.org"]\n'
    (found,) = problems_of(registry, text)
    assert (found.where, found.site) == (f"sites.toml: platform.{key}", site)
    assert f"of the site {site} belongs to the system." in found.message
    assert problems_of(registry, text.replace(f"sites.{site}", "sites.aurora")) == ()


def test_sites_never_run_as_root(registry: RegistryMaker) -> None:
    """Neither the platform's user nor systemd's is root; another account that all sites have is accepted."""
    (found,) = problems_of(registry, f'{HEAD}user = "root"\n{AURORA}')
    assert f"{found.where}: {found.message}".startswith("sites.toml: platform.user: Sites must not run as root")
    (found,) = problems_of(registry, f'{HEAD}systemd = {{ user = "root" }}\n{AURORA}')
    assert f"{found.where}: {found.message}".startswith("sites.toml: platform.systemd: Its user is root.")
    assert problems_of(registry, f'{HEAD}user = "www-data"\nsystemd = {{ user = "www-data" }}\n{AURORA}') == ()


UPLOADS = 'storage = "file:///srv/uploads/{site}"\n'


@pytest.mark.parametrize("media", ["media-{site}", "media"])
def test_group_of_uploads_is_none_of_the_sites_own(registry: RegistryMaker, media: str) -> None:
    """One that reads the snapshot, or that the site's account has, would let the front server read more."""
    head = f'{HEAD}{UPLOADS}media_group = "{media}"\n'
    for key in ("user", "group"):
        (found,) = problems_of(registry, f'{head}{key} = "{media}"\n{AURORA}')
        assert (found.where, found.site) == ("sites.toml: platform.media_group", "aurora")
        assert f"The media_group '{media.replace('{site}', 'aurora')}' of the site aurora" in found.message
        assert problems_of(registry, f'{head}{key} = "site-{{site}}"\n{AURORA}') == ()
    assert registry(f'{head}user = "site-{{site}}"\n{AURORA}').load().platform.media_group == media


def test_group_of_uploads_needs_a_folder_that_it_can_enter(registry: RegistryMaker) -> None:
    """Uploads in the site's own folder are out of its reach; those elsewhere, and in a bucket, are not."""
    head = f'{HEAD}media_group = "media"\n'
    (found,) = problems_of(registry, f"{head}{AURORA}")
    assert (found.where, found.site) == ("sites.toml: platform.media_group", "aurora")
    assert "are in a folder that only the site's own group enters" in found.message
    assert "uploads/{site}" in found.message
    assert problems_of(registry, f"{head}{UPLOADS}{AURORA}") == ()


@pytest.mark.parametrize(
    ("broken", "key"),
    [
        ('database = { engine = "mongodb" }\n', "database.engine"),
        ('cache = { backend = "memcached" }\n', "cache.backend"),
        ('storage = { backend = "ftp" }\n', "storage.backend"),
    ],
)
def test_part_that_could_not_be_read_is_not_looked_at(registry: RegistryMaker, broken: str, key: str) -> None:
    """Its mistake is told, and nothing of it is said to be on one machine."""
    others = SHARED.replace({"database": DATABASE, "cache": CACHE, "storage": STORAGE}[key.partition(".")[0]], "")
    found = problems_of(registry, HEAD + NODES + AURORA + others + broken)
    assert [problem.where for problem in found] == [f"sites.toml: sites.aurora.{key}"]


@pytest.mark.parametrize(
    ("platform", "accepted"),
    [(NODES, "accepted: app-1, app-2, app-3"), ("", "the platform has none")],
)
def test_node_that_there_is_not_is_told_with_those_that_there_are(
    registry: RegistryMaker, platform: str, accepted: str
) -> None:
    """At the site's list of nodes, each by itself."""
    found = problems_of(registry, f'{HEAD}{platform}{AURORA}{SHARED}nodes = ["x", "app-1x"]\n')
    told = [(problem.where, problem.message) for problem in found]
    message = "The node '{}' is not known; " + accepted + "."
    assert told == [("sites.toml: sites.aurora.nodes", message.format(node)) for node in ("x", "app-1x")]
