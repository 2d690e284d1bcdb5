"""uWSGI's own word on the emitted files, in both builds."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from tests.emitters.strategies import hostnames, paths, site_ids
from tests.emitters.uwsgi_ini import options_in, options_of, values_of
from tests.servers.processes import free_port, wait_for
from tests.servers.router import BUILDS, emperor, get, local_plan, program
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets, and has a blank and a quote."""
    with tempfile.TemporaryDirectory(prefix="mh '") as name:
        yield Path(name)


#: Paths that can be written in an ini file; test_quoting.py holds which cannot.
writable = paths().filter(lambda path: "@(" not in str(path) and not str(path).endswith(" "))
without_colon = writable.filter(lambda path: ":" not in str(path))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    site=site_ids,
    names=st.lists(hostnames, min_size=1, max_size=3, unique=True),
    data=writable,
    sockets=without_colon,
    directory=without_colon,
    code=writable,
    static=writable,
    registry=writable,
    build=st.sampled_from(BUILDS),
    serves=st.booleans(),
)
def test_every_accepted_value_is_read_back(
    site: str,
    names: list[str],
    data: Path,
    sockets: Path,
    directory: Path,
    code: Path,
    static: Path,
    registry: Path,
    build: Any,
    serves: bool,
) -> None:
    """The files of any accepted site have as many options as those of a plain one, and the values of the spec."""
    plan = make_plan(
        make_site(
            site, hostnames=tuple(names), storage=StorageSpec(backend="files", path=Path(data)), data=Path("/srv/data")
        ),
        directory=Path(directory),
        registry=str(registry),
        codebase=make_codebase(directory=Path(code), static_root=Path(static)),
        platform=make_platform(
            sockets=Path(sockets), uwsgi=UwsgiOptions(build=build, http="127.0.0.1:8000" if serves else "")
        ),
    )
    emitted = texts("uwsgi", plan)
    vassal = emitted[f"uwsgi/{site}.ini"]
    environment = {"MULTIHOST_SITE": site, "MULTIHOST_REGISTRY": str(registry)}
    assert values_of(vassal, "socket") == [f"{sockets}/{site}.sock"]
    assert values_of(vassal, "chdir") == [str(code)]
    assert values_of(vassal, "env")[:2] == [f"{key}={value}" for key, value in environment.items()]
    assert values_of(vassal, "static-map") == ([f"/static={static}"] if serves else [])
    assert len(values_of(vassal, "route-host")) == (len(names) - 1 if serves else 0)
    assert (f"addvar:MULTIHOST_MEDIA_ROOT={data}" in values_of(vassal, "route-run")) == serves
    assert len(values_of(emitted["uwsgi-emperor/emperor.ini"], "emperor")) == 1
    if serves:
        listed = [line.split(" ", 1) for line in emitted["uwsgi-emperor/hosts.txt"].splitlines()[1:]]
        assert listed == [["*", f"{sockets}/_unknown.sock"], *([name, f"{sockets}/{site}.sock"] for name in names)]


@pytest.mark.parametrize("name", ["uwsgi/aurora.ini", "uwsgi/_unknown.ini", "uwsgi-emperor/emperor.ini"])
@pytest.mark.parametrize("build", BUILDS)
def test_uwsgi_itself_reads_the_same_options(folder: Path, build: str, name: str) -> None:
    """uWSGI accepts each file under strict, and shows the options that the file states, with their very values."""
    plan = local_plan(folder, build)
    # uWSGI starts the emperor even when it only shows its options; the router's test shows that it finds its vassals.
    text = re.sub(r"^emperor = .*\n", "", texts("uwsgi", plan)[name], flags=re.MULTILINE)
    path = plan.directory / Path(name).name
    path.write_text(text)
    result = subprocess.run(
        [program(build), "--ini", path, "--show-config", "--no-server"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    output = re.sub(r"^\[aurora\] - ", "", (result.stdout + result.stderr).decode(), flags=re.MULTILINE)
    assert result.returncode == 0, output
    start, end = ";uWSGI instance configuration\n", ";end of configuration\n"
    shown = options_in(iter(output.partition(start)[2].partition(end)[0].split("\n")))
    own = ("ini", "show-config", "no-server")
    assert [option for option in shown if option[0] not in own] == options_of(text)


@pytest.mark.parametrize("build", BUILDS)
def test_router_serves_its_sites_and_nothing_else(folder: Path, build: str) -> None:
    """One emperor with a router: the application, uploads and static files are served, all else is closed."""
    port = free_port()
    plan = local_plan(folder, build, port)
    media, static = plan.sites[0].storage.path, plan.codebase.static_root
    assert media and static
    (media / "a.txt").write_text("upload")
    (media / "documents/p.txt").write_text("private")
    (static / "s.css").write_text("style")
    with emperor(plan, folder, build):
        wait_for(lambda: get(port, "/") == (200, "aurora /", ""), "the site")
        wait_for(lambda: get(port, "/", host="x.example.org")[0], "an answer to unknown hosts")
        assert get(port, "/media/a.txt") == (200, "upload", "")
        assert get(port, "/static/s.css") == (200, "style", "")
        assert get(port, "/media/none.txt") == (200, "aurora /media/none.txt", "")
        assert get(port, "/media/documents/p.txt")[0] == 404
        # uWSGI expands request variables in a route's action: the path must not name one.
        assert get(port, "/media/${HTTP_FILE}", headers={"File": "documents/p.txt"})[1] != "private"
        for path in ("/-/live/", "/-/live", "//-/live/", "/%2D/live/", "/x/../-/live/"):
            assert get(port, path)[0] == 404
        for host in ("x.example.org", "127.0.0.1", "aurora.example.org..", "aurora.example.org, x"):
            assert get(port, "/", host=host)[0] == 404
        moved = get(port, "/a/?b=c", host="www.aurora.example.org")
        assert (moved[0], moved[2]) == (301, f"http://aurora.example.org:{port}/a/?b=c")


@pytest.mark.parametrize("build", BUILDS)
def test_no_path_keeps_a_process_busy(folder: Path, build: str) -> None:
    """Whatever slashes and dollar signs are in a path, the rules read it in no time: a request is cheap to send."""
    port = free_port()
    with emperor(local_plan(folder, build, port), folder, build):
        wait_for(lambda: get(port, "/") == (200, "aurora /", ""), "the site")
        deep = ("/media" + "/a" * 4000, "/static" + "/a" * 4000, "/static/" + "a" * 8000, "/media/" + "a." * 4000)
        odd = ("/" * 500 + "$", "/a//" * 500 + "$", "/a" * 3500 + "//$", "/$" + "//a" * 500, "/.a" * 2000 + "$")
        for path in (*deep, *odd):
            assert get(port, path)[0] in (200, 400), path[:9]
            assert min(seconds_to_answer(port, path) for _ in range(3)) < 0.3, path[:9]


def seconds_to_answer(port: int, path: str) -> float:
    began = time.monotonic()
    get(port, path)
    return time.monotonic() - began
