"""The router's look-up of a host, rendered into a folder and imported from there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, written
from wagtail_multihost.spec.uwsgi import UwsgiOptions

AURORA, BOREALIS, UNKNOWN = (b"/run/multi host/%s.sock" % name for name in (b"aurora", b"borealis", b"_unknown"))
PLATFORM = make_platform(sockets=Path("/run/multi host"), uwsgi=UwsgiOptions(http="127.0.0.1:8000"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The router's folder for two sites."""
    site = make_site("aurora", aliases=("xn--nrdlys-bya.example.org",))
    plan = make_plan(site, make_site("borealis"), platform=PLATFORM, directory=tmp_path)
    return written("uwsgi", plan) / "uwsgi-emperor"


@pytest.fixture
def hostmap(folder: Path) -> ModuleType:
    return load(folder)


@pytest.fixture
def lookup(hostmap: ModuleType) -> Callable[[bytes | str], bytes]:
    return hostmap.lookup


def load(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("emitted_hostmap", folder / "hostmap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def replace(path: Path, text: str) -> None:
    """Replace a file as multihost_emit does: by a rename."""
    draft = path.with_suffix(".tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


@pytest.mark.parametrize(
    "host",
    [
        b"aurora.example.org",
        "aurora.example.org",
        "AURORA.Example.ORG",
        "aurora.example.org:8000",
        "aurora.example.org.",
        "aurora.example.org.:8000",
        " aurora.example.org ",
        "xn--nrdlys-bya.example.org",
    ],
)
def test_lookup_of_a_hostname_is_the_socket_of_its_site(
    lookup: Callable[[bytes | str], bytes], host: bytes | str
) -> None:
    """Case, a port and blanks around do not matter; the key may be text or bytes."""
    assert lookup(host) == AURORA


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "#",
        "example.org",
        "x.aurora.example.org",
        "aurora.example.org..",
        ".",
        "aurora.example.org:",
        ":8000",
        "aurora.example.org:80a",
        "aurora.example.org, borealis.example.org",
        "aurora.example.org borealis.example.org",
        "../aurora",
        "aurora.example.org/..",
        "aurora.example.org\0",
        "[::1]:8000",
        "127.0.0.1",
        b"\xff\xfe",
        "n\u00f8rdlys.example.org",
        "\udcff",
    ],
)
def test_lookup_of_anything_else_is_the_closed_answer(
    lookup: Callable[[bytes | str], bytes], host: bytes | str
) -> None:
    """What is not exactly a hostname of a site reaches no site."""
    assert lookup(host) == UNKNOWN


def test_lookup_follows_a_changed_list(folder: Path, lookup: Callable[[bytes | str], bytes]) -> None:
    """A replaced list holds from the next request on."""
    assert lookup("new.example.org") == UNKNOWN
    replace(folder / "hosts.txt", "* /u.sock\nnew.example.org /new.sock\n")
    assert lookup("new.example.org") == b"/new.sock"
    assert lookup("aurora.example.org") == b"/u.sock"


@pytest.mark.parametrize("text", ["* /u.sock\nno-socket\n", "aurora.example.org\n"])
def test_broken_list_keeps_the_one_before(folder: Path, lookup: Callable[[bytes | str], bytes], text: str) -> None:
    """A list with a line that is none changes nothing."""
    assert lookup("aurora.example.org") == AURORA
    replace(folder / "hosts.txt", text)
    assert lookup("aurora.example.org") == AURORA
    assert lookup("example.org") == UNKNOWN


def test_missing_list_keeps_the_one_before(folder: Path, lookup: Callable[[bytes | str], bytes]) -> None:
    """A list that is gone changes nothing, and one that comes back holds."""
    assert lookup("aurora.example.org") == AURORA
    (folder / "hosts.txt").unlink()
    assert lookup("aurora.example.org") == AURORA
    replace(folder / "hosts.txt", "aurora.example.org /again.sock\n")
    assert lookup("aurora.example.org") == b"/again.sock"


def test_router_without_any_list_reaches_no_site(folder: Path) -> None:
    """A router that never had a list has no address for anybody."""
    (folder / "hosts.txt").unlink()
    assert load(folder).lookup("aurora.example.org") == b""


def test_unchanged_list_is_read_once(folder: Path, hostmap: ModuleType) -> None:
    """The list is parsed again only when the file is another one."""
    hostmap.lookup("aurora.example.org")
    first = hostmap.host_map.sockets
    hostmap.lookup("borealis.example.org")
    assert hostmap.host_map.sockets is first
