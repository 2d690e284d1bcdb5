"""What uWSGI's configuration says, where a golden file would not show the rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.emitters.conftest import BUCKET, make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan, emit
from wagtail_multihost.emitters.uwsgi.emperor import max_fd
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

ROUTER = UwsgiOptions(http="127.0.0.1:8000")


def test_only_chosen_sites_get_their_vassals() -> None:
    """Choosing sites leaves the files of the others out, and the shared ones in."""
    plan = make_plan(make_site("aurora"), make_site("borealis"), only=frozenset({"aurora"}))
    assert set(texts("uwsgi", plan)) == {
        "uwsgi-emperor/emperor.ini",
        "uwsgi-emperor/load.py",
        "uwsgi/aurora.ini",
    }


def test_files_know_their_site() -> None:
    """A vassal belongs to its site, a shared file to none."""
    plan = make_plan(make_site("aurora"), platform=make_platform(uwsgi=ROUTER))
    owners = {file.path.name: file.site for file in emit("uwsgi", plan)}
    shared = ("emperor.ini", "load.py", "hostmap.py", "hosts.txt", "mime.types", "_unknown.ini")
    assert owners == {**dict.fromkeys(shared, ""), "aurora.ini": "aurora"}


@pytest.mark.parametrize(("length", "accepted"), [(102, True), (103, False)])
def test_socket_paths_fit_a_unix_address(length: int, accepted: bool) -> None:
    """A socket's path of 102 bytes is accepted, a longer one refused with its length."""
    folder = "/" + "s" * (length - len("/") - len("/aurora.sock"))
    plan = make_plan(make_site("aurora"), platform=make_platform(sockets=Path(folder)))
    if accepted:
        assert f"socket = {folder}/aurora.sock\n" in texts("uwsgi", plan)["uwsgi/aurora.ini"]
    else:
        with pytest.raises(RenderError, match=f"has {length} bytes"):
            texts("uwsgi", plan)


def test_socket_paths_are_counted_in_bytes() -> None:
    """A letter of two bytes counts as two."""
    plan = make_plan(make_site("aurora"), platform=make_platform(sockets=Path("/" + "é" * 50)))
    with pytest.raises(RenderError):
        texts("uwsgi", plan)


@pytest.mark.parametrize(("sites", "files"), [(0, 1024), (255, 1024), (256, 2048), (767, 2048), (10_000, 32768)])
def test_emperor_may_open_two_files_for_each_vassal(sites: int, files: int) -> None:
    """The emperor's limit of open files grows with its vassals: a pipe each, and a socket where they are on demand."""
    assert max_fd(sites) == files


@pytest.mark.parametrize("directory", ["/etc/multi:host", "/etc/%d"])
def test_folders_that_uwsgi_would_misread_are_refused(directory: str) -> None:
    """A colon would make Zergs of vassals, and a percent sign another path."""
    with pytest.raises(RenderError):
        texts("uwsgi", make_plan(make_site("aurora"), directory=Path(directory)))


FILES, MEDIA = StorageSpec(backend="files", path=Path("/srv/media")), "route = ^/media/documents(/|$)"
STATIC = "static-map = /static=/srv/aviary/static"


@pytest.mark.parametrize(
    ("codebase", "storage", "served"),
    [
        ({}, FILES, [STATIC, MEDIA]),
        ({}, BUCKET, [STATIC]),
        ({"media_url": None}, FILES, [STATIC]),
        ({"static_root": None}, FILES, [MEDIA]),
        ({"static_url": None}, FILES, [MEDIA]),
        ({"static_url": None, "static_root": None, "media_url": None}, BUCKET, []),
    ],
)
def test_vassal_serves_the_files_that_are_on_this_machine(
    codebase: dict[str, object], storage: StorageSpec, served: list[str]
) -> None:
    """Static files take a folder and a URL, uploads too; and where nginx is in front a vassal serves none."""
    site, code = make_site("aurora", storage=storage), make_codebase(**codebase)
    starts = ("static-map", "route = ^/media/documents", "route = ^None", "route = ^documents")

    def lines(plan: Plan) -> list[str]:
        return [line for line in texts("uwsgi", plan)["uwsgi/aurora.ini"].splitlines() if line.startswith(starts)]

    found = lines(make_plan(site, codebase=code, platform=make_platform(uwsgi=ROUTER)))
    assert [line.removesuffix(" break:404 Not Found") for line in found] == served
    assert lines(make_plan(site, codebase=code)) == []


def test_media_folder_with_a_dollar_is_refused_where_uwsgi_serves_it() -> None:
    """uWSGI's routes would expand it; without routes the folder is not written at all."""
    site = make_site("aurora", storage=StorageSpec(backend="files", path=Path("/srv/$1")))
    with pytest.raises(RenderError):
        texts("uwsgi", make_plan(site, platform=make_platform(uwsgi=ROUTER)))
    assert "/srv/$1" not in "".join(texts("uwsgi", make_plan(site)).values())


def test_folder_of_static_files_with_a_dollar_is_refused_where_uwsgi_serves_it() -> None:
    """The same is true of static files, which routes send too."""
    codebase = make_codebase(static_root=Path("/srv/$1"))
    with pytest.raises(RenderError):
        texts("uwsgi", make_plan(make_site("aurora"), codebase=codebase, platform=make_platform(uwsgi=ROUTER)))
    assert texts("uwsgi", make_plan(make_site("aurora"), codebase=codebase))


def test_router_waits_as_long_as_the_slowest_site_may() -> None:
    """A site's own time for a request is not cut short by the platform's."""
    slow = make_site("aurora", uwsgi=(("harakiri", 90),))
    options = UwsgiOptions(http="127.0.0.1:8000", harakiri=20)
    emitted = texts("uwsgi", make_plan(slow, make_site("borealis"), platform=make_platform(uwsgi=options)))
    assert "\nhttp-timeout = 90\n" in emitted["uwsgi-emperor/emperor.ini"]


def test_body_that_uwsgi_keeps_on_disk_is_bounded_where_nginx_does_not_bound_it() -> None:
    """One visitor would fill the disk of all sites; the limit is nginx's key, a site's own first; here twice that."""
    sites = (make_site("aurora", nginx=(("body_size", "2m"),)), make_site("borealis"))
    platform = make_platform(uwsgi=ROUTER, nginx=NginxOptions(body_size="3k"))
    emitted = texts("uwsgi", make_plan(*sites, platform=platform))
    assert "\nlimit-post = 4194304\n" in emitted["uwsgi/aurora.ini"]
    assert "\nlimit-post = 6144\n" in emitted["uwsgi/borealis.ini"]
    assert "\nroute-if = ishigher:${CONTENT_LENGTH};3072 break:413" in emitted["uwsgi/borealis.ini"]
    assert "limit-post" not in "".join(texts("uwsgi", make_plan(*sites)).values())


def test_second_hostname_with_a_final_dot_redirects_too() -> None:
    """It is the same host."""
    site = make_site("aurora", hostnames=("aurora.example.org", "www.aurora.example.org"))
    text = texts("uwsgi", make_plan(site, platform=make_platform(uwsgi=ROUTER)))["uwsgi/aurora.ini"]
    [pattern] = re.findall(r"^route-host = (\S+) redirect-permanent", text, re.MULTILINE)
    for host in ("www.aurora.example.org", "WWW.aurora.example.org.", "www.aurora.example.org.:8000"):
        assert re.search(pattern, host)
    assert not re.search(pattern, "www.aurora.example.org..")
