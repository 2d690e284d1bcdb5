"""A change is compared with the sites that it could concern, and what that finds is what comparing all would find."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tests.spec.samples import a_site, files, postgresql, s3, sqlite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.specs import Specs, near, shared_problems, without_conflicts
from wagtail_multihost.registry.neighbours import Neighbours
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.tls import TlsSpec

PLATFORM = PlatformSpec(name="aviary", data=Path("/srv/data"))
SITES = ("a", "a-b", "c", "d", "e", "f")


def of(**values: Any) -> dict[str, Any]:
    return values


#: What a site may state for once. Most of it meets something of another one, each by another rule.
STATED: tuple[dict[str, Any], ...] = (
    {},
    *(of(aliases=(name,)) for name in ("one.example.com", "files.example.com", "media.files.example.com")),
    *(of(key_prefix=prefix) for prefix in ("bird", "bird.owl", "bird.owl.eye", "birds")),
    *(of(index_prefix=prefix) for prefix in ("bird_", "bird_owl_", "birds_", "bird_owl_eye_")),
    *(of(postgres=name) for name in ("bird", "test_bird", "test_test_bird")),
    *(of(sqlite=path) for path in ("/srv/b.db", "/srv/b.db-wal/c", "/srv/b.db-wal/c-shm", "/srv/data/sites/c/b.db")),
    *(of(uploads=path) for path in ("/srv/up", "/srv/up/more", "/srv/b.db-journal", "/srv", "/srv/data/sites/a")),
    *(of(bucket=name, endpoint="https://files.example.com") for name in ("media", "other")),
    of(bucket="third", endpoint="https://one.example.com"),
    of(session_cookie="sid"),
    of(csrf_cookie="sid"),
    of(session_cookie="__Host-sid"),
    of(code=(("directory", "/srv/up"),)),
    of(tls=TlsSpec(certificate="/srv/up/{site}.crt", key="/srv/up/{hostname}.key")),
    of(secret_key=Secret.from_file(Path("/srv/up/more/key"))),
    of(socket="a.sock"),
    of(uid=UUID(int=99)),
)


def spec_of(site: str, stated: dict[str, Any]) -> SiteSpec:
    names = Names(
        database=f"db_{site}".replace("-", "_"),
        role=f"role_{site}".replace("-", "_"),
        bucket=f"bucket-{site}",
        key_prefix=stated.get("key_prefix", f"own.{site}"),
        index_prefix=stated.get("index_prefix", f"own_{site}_"),
        socket=stated.get("socket", f"{site}-own.sock"),
    )
    database = sqlite(path=Path(stated.get("sqlite", f"/srv/data/sites/{site}/db.sqlite3")))
    if "postgres" in stated:
        database = postgresql(name=stated["postgres"], user=f"user-{site}")
    storage = files(path=Path(stated.get("uploads", f"/srv/data/sites/{site}/media")))
    if "bucket" in stated:
        keys = {key: Secret(f"{key}-of-{site}") for key in ("access_key", "secret_key")}
        storage = s3(bucket=stated["bucket"], endpoint=stated["endpoint"], **keys)
    fields = ("aliases", "session_cookie", "csrf_cookie", "code", "tls", "secret_key")
    return a_site(
        **{"id": site, "uid": stated.get("uid", UUID(int=1 + SITES.index(site))), "names": names},
        **{"hostnames": (f"{site}.example.com",), "aliases": (), "database": database, "storage": storage}
        | {field: stated[field] for field in fields if field in stated},
    )


def outcome(sites: dict[str, SiteSpec], wanted: list[str], kept: dict[str, SiteSpec], found: Neighbours | None) -> Any:
    try:
        return without_conflicts(
            Specs(PLATFORM, sites, {}), wanted, kept, lambda specs: shared_problems(near(specs, wanted, found))
        )
    except ConfigurationError as error:
        return error.problems


changes = st.dictionaries(st.sampled_from(SITES), st.none() | st.sampled_from(STATED), min_size=1, max_size=3)


@given(st.lists(changes, min_size=1, max_size=8))
def test_neighbours_find_what_comparing_all_sites_finds(steps: list[dict[str, dict[str, Any] | None]]) -> None:
    """Sites come, change and go; after each step those that are refused, and why, are the same."""
    neighbours, kept = Neighbours(), {}
    for step in steps:
        kept = {site: spec for site, spec in kept.items() if site not in step or step[site] is not None}
        read = {site: spec_of(site, stated) for site, stated in step.items() if stated is not None}
        sites = {**kept, **read}
        expected = outcome(sites, list(read), kept, None)
        assert outcome(sites, list(read), kept, neighbours) == expected
        assert isinstance(expected, Specs)
        kept = dict(expected.sites)


def test_neighbours_find_whatever_two_sites_share() -> None:
    """Each value of one site that is there, with each of another one that comes."""
    found, conflicts = Neighbours(), 0
    for first, second in product(STATED, repeat=2):
        there = {"a": spec_of("a", first), "f": spec_of("f", {})}
        kept = dict(outcome(there, list(there), {}, None).sites)
        sites = {**kept, "c": spec_of("c", second)}
        expected = outcome(sites, ["c"], kept, None)
        conflicts += isinstance(expected, Specs) and bool(expected.refused)
        assert outcome(sites, ["c"], kept, found) == expected, (first, second)
    assert conflicts > len(STATED)
