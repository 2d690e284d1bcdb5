"""Which place may lie in which, and what is said of each pair, for everything that is a place."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.spec.samples import a_platform, a_site, files, sqlite
from wagtail_multihost.registry.places import (
    CODE,
    DATABASE,
    HOME,
    STORAGE,
    Links,
    OwnedPath,
    code_paths,
    is_conflict,
    nesting_problem,
    overlap_problems,
    platform_places,
    same_path_problem,
    sidecar_problems,
    site_places,
    written_place,
)
from wagtail_multihost.spec import MailSpec, Secret, TlsSpec

AURORA, BOREALIS = a_site(), a_site(id="borealis")
KINDS = (HOME, DATABASE, STORAGE, CODE, "secret file")
#: What may lie in what: the inner kind, then the outer one, of one site or of two.
ALLOWED_OF_ONE = {
    *((inner, HOME) for inner in KINDS),
    *((inner, CODE) for inner in KINDS),
    *((inner, "secret file") for inner in (CODE, "secret file")),
}
ALLOWED_OF_TWO = {(inner, outer) for inner in (CODE, "secret file") for outer in (CODE, "secret file")}


def at(path: str, what: str = STORAGE, site: object = AURORA) -> OwnedPath:
    return OwnedPath(path, what, site)  # type: ignore[arg-type]


@pytest.mark.parametrize(("inner", "outer"), list(product(KINDS, KINDS)))
def test_place_in_a_place(inner: str, outer: str) -> None:
    """What a site writes to holds nothing but its own, and is in nothing but its folder and its code."""
    assert is_conflict(at("/a/b/", inner), at("/a/", outer)) is ((inner, outer) not in ALLOWED_OF_ONE)
    assert is_conflict(at("/a/b/", inner), at("/a/", outer, BOREALIS)) is ((inner, outer) not in ALLOWED_OF_TWO)


def test_place_of_the_platform_is_in_none_of_a_sites() -> None:
    """Nor one of a site in the platform's; two of the platform may hold each other."""
    key = at("/a/", "key", None)
    for what in (HOME, DATABASE, STORAGE):
        assert is_conflict(key, at("/a/", what)) is True
        assert is_conflict(at("/a/", what), key) is True
    assert is_conflict(key, key) is False


def test_places_of_the_platform_are_its_key_and_its_sockets() -> None:
    """And whatever else is to be protected."""
    platform = a_platform(data=Path("/none/data"), sockets=Path("/none/run"))
    assert list(platform_places(Links(), platform, [("registry", "/none/sites.toml")])) == [
        at("/none/data/platform.key/", "key", None),
        at("/none/run/", "folder of sockets", None),
        at("/none/sites.toml/", "registry", None),
    ]


def test_places_of_a_site_are_all_that_it_has() -> None:
    """Its folder, data, code, files of secrets, and the keys of its certificates, one for each host where they are."""
    platform = a_platform(data=Path("/none"))
    site = a_site(
        database=sqlite(path=Path("/none/db")),
        storage=files(path=Path("/none/media")),
        code=(
            ("directory", Path("/none/code")),
            ("wsgi", "a.b:c"),
            ("pythonpath", ("/none/p", "/none/q")),
            ("virtualenv", Path("/none/v")),
        ),
        secret_key=Secret.from_file(Path("/none/key")),
        mail=MailSpec(host="h", username="u", password=Secret("p")),
        tls=TlsSpec(certificate="/none/{hostname}", key="/none/{site}/{hostname}.pem"),
    )
    found = [(place.what, place.path) for place in site_places(Links(), platform, site)]
    assert found == [
        ("folder", "/none/sites/aurora/"),
        ("database", "/none/db/"),
        ("storage", "/none/media/"),
        *(("code", f"/none/{name}/") for name in ("code", "p", "q", "v")),
        ("secret file", "/none/key/"),
        *(("TLS key", f"/none/aurora/{host}.pem/") for host in site.hosts),
    ]
    assert list(code_paths(site)) == ["/none/code", "/none/p", "/none/q", "/none/v"]
    one = a_site(tls=TlsSpec(certificate="/none/c", key="/none/{site}.pem"))
    keys = [place.path for place in site_places(Links(), platform, one) if place.what == "TLS key"]
    assert keys == ["/none/aurora.pem/"]
    assert all(place.site is one for place in site_places(Links(), platform, one))


def test_links_are_followed_but_for_a_sites_own(tmp_path: Path) -> None:
    """What a site has made in its own folder gets nobody refused; everything else is where it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "X").mkdir()
    (tmp_path / "to X").symlink_to("X")
    (tmp_path / "root").symlink_to("/")
    links, home = Links(), f"{tmp_path}/link"
    assert [links.real(f"{tmp_path}/{name}") for name in ("X", "X//", "to X")] == [f"{tmp_path}/X"] * 3
    assert links.real(f"{tmp_path}/root/none") == "/none"
    assert links.real(f"{tmp_path}/link/a/b") == f"{tmp_path}/real/a/b"
    assert links.real(f"{tmp_path}/real/") == f"{tmp_path}/real"
    assert links.real(f"{tmp_path}/none/link") == f"{tmp_path}/none/link"
    assert links.look(f"{tmp_path}/real") == (f"{tmp_path}/real", True)
    assert links.look(f"{tmp_path}/none") == (f"{tmp_path}/none", False)
    assert links.look(f"{tmp_path}/link") == (f"{tmp_path}/real", True)
    assert Links.entry(f"{tmp_path}/none") == (f"{tmp_path}/none", False)
    deep = f"{tmp_path}/link" + "/x" * 100
    assert links.real(deep) == f"{tmp_path}/real" + "/x" * 100
    assert deep not in links.known, "a path of so many folders is not looked at folder by folder"
    assert links.place(tmp_path / "link", "folder", None) == at(f"{tmp_path}/real/", "folder", None)
    (tmp_path / "real" / "own").symlink_to("/srv")
    assert written_place(links, home, f"{home}/own", STORAGE, AURORA) == at(f"{tmp_path}/real/own/")
    assert written_place(links, home, f"{tmp_path}/link", STORAGE, AURORA) == at(f"{tmp_path}/real/")
    assert written_place(links, home, f"{tmp_path}/real/own", STORAGE, AURORA) == at("/srv/")


@pytest.mark.parametrize(
    ("place", "outer", "where", "site"),
    [
        (at("/a/b/"), at("/a/", STORAGE, BOREALIS), "sites.aurora", "aurora"),
        (at("/a/b/", HOME), at("/a/", STORAGE, BOREALIS), "sites.borealis", "borealis"),
        (at("/a/b/", "key", None), at("/a/", STORAGE, BOREALIS), "sites.borealis", "borealis"),
        (at("/a/b/", STORAGE, BOREALIS), at("/a/", "folder of sockets", None), "sites.borealis", "borealis"),
        (at("/a/b/", HOME), at("/a/", "folder of sockets", None), "sites.aurora", "aurora"),
        (at("/a/b/", "key", None), at("/a/", "folder of sockets", None), "", ""),
    ],
)
def test_overlap_is_told_to_who_can_mend_it(place: OwnedPath, outer: OwnedPath, where: str, site: str) -> None:
    """The site that states a place, not the platform's own or a site's folder, which the platform states."""
    problem = nesting_problem(place, outer)
    owners = [f"the site {owner.site.id}" if owner.site else "the platform" for owner in (place, outer)]
    assert (problem.where, problem.site) == (where, site)
    assert problem.message == (
        f"The {place.what} '/a/b' of {owners[0]} is inside the {outer.what} of {owners[1]}, '/a'; "
        "each must have its own place."
    )


@pytest.mark.parametrize(
    ("place", "outer", "is_one"),
    [
        (at("/a/"), at("/a/", STORAGE, BOREALIS), True),
        (at("/a/", DATABASE), at("/a/", STORAGE, BOREALIS), True),
        (at("/a/", DATABASE), at("/a/", STORAGE), False),
        (at("/a/", HOME), at("/a/", STORAGE, BOREALIS), False),
        (at("/a/", STORAGE), at("/a/", HOME, BOREALIS), False),
        (at("/a/", "key", None), at("/a/", STORAGE, BOREALIS), False),
        (at("/a/", STORAGE), at("/a/", "key", None), False),
    ],
)
def test_one_file_of_two_sites_is_told_as_one(place: OwnedPath, outer: OwnedPath, is_one: bool) -> None:
    """Data of two sites at one path; of everything else one lies in the other."""
    problem = same_path_problem(place, outer)
    assert problem.message.startswith("The file '/a' belongs to the sites borealis and aurora") is is_one
    assert (problem == nesting_problem(place, outer)) is not is_one


def test_part_of_a_database_is_found_wherever_its_name_occurs() -> None:
    """Each place that a database has beside it, and none beside anything else."""
    database = at("/a-wal/d/", DATABASE)
    for sidecar in ("-wal", "-shm", "-journal"):
        place = at(f"/a-wal/d{sidecar}/x/", STORAGE, BOREALIS)
        expected = nesting_problem(place, at(f"/a-wal/d{sidecar}/", DATABASE))
        assert list(sidecar_problems([place, database])) == [expected]
        assert list(sidecar_problems([place, at("/a-wal/d/", STORAGE)])) == []
    twice = at("/d-wal/e-wal/", STORAGE, BOREALIS)
    both = [at("/d/", DATABASE), at("/d-wal/e/", DATABASE)]
    assert len([problem for problem in sidecar_problems([twice, *both]) if "'/d-wal/e-wal'" in problem.message]) == 2
    assert list(sidecar_problems([at("/d-walx/"), at("/d/", DATABASE)])) == []


def test_each_place_is_told_once_with_the_outermost_around_it() -> None:
    """Of several places around one the outermost that must not hold it; names that start alike hold nothing."""
    platform = a_platform(data=Path("/none/data"), sockets=Path("/none/run"))
    first = a_site(database=sqlite(path=Path("/none/a/b/db")), storage=files(path=Path("/none/a")))
    second = a_site(id="b", database=sqlite(path=Path("/none/a/b/db2")), storage=files(path=Path("/none/a/b")))
    found = [problem.message for problem in overlap_problems(platform, [first, second])]
    assert [message.partition(" is inside ")[0] for message in found] == [
        "The storage '/none/a/b' of the site b",
        "The database '/none/a/b/db' of the site aurora",
        "The database '/none/a/b/db2' of the site b",
    ]
    assert all("inside the storage of the site aurora, '/none/a';" in message for message in found)
    apart = a_site(id="b", database=sqlite(path=Path("/none/ab/db")), storage=files(path=Path("/none/a-b")))
    inner = a_site(database=sqlite(path=Path("/none/d")), storage=files(path=Path("/none/a")))
    assert list(overlap_problems(platform, [inner, apart])) == []
    protected = [("folder of static files", Path("/none/a/static"))]
    [problem] = overlap_problems(platform, [inner, apart], protected)
    assert problem.message.startswith(
        "The folder of static files '/none/a/static' of the platform is inside the storage"
    )
