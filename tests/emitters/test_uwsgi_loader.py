"""What is imported in the master of a vassal: it loads the application, and answers where uWSGI leaves that to it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters.limits import ANSWER_BYTES
from wagtail_multihost.spec.uwsgi import UwsgiOptions

LOADER = "uwsgi-emperor/load.py"
Application = Callable[..., Iterable[bytes]]
Answered = tuple[str, dict[str, str], bytes]


@pytest.fixture(name="load")
def _load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Application]:
    """Return a function that runs the loader of a plan for an application, and returns what uWSGI finds after it."""

    def load(application: Application, convert: Callable[[str], object] = str, **options: Any) -> Application:
        ini, shop = tmp_path / "aurora.ini", SimpleNamespace(application=application)
        ini.write_text("[uwsgi]\nenv = MULTIHOST_A=b=c\nenv = MULTIHOST_B=\nchdir = /\n")
        stated = {"ini": convert(str(ini)), "module": convert("shop.wsgi:application")}
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=stated))
        monkeypatch.setattr(importlib, "import_module", {"shop.wsgi": shop}.__getitem__)
        plan = make_plan(make_site("aurora"), platform=make_platform(uwsgi=UwsgiOptions(**options)))
        exec(compile(texts("uwsgi", plan)[LOADER], "load.py", "exec"), {})
        found: Application = shop.application
        return found

    return load


def asked(application: Application, method: str = "GET") -> Answered:
    return answer_of(application, {"REQUEST_METHOD": method})


def answer_of(application: Application, environ: dict[str, str]) -> Answered:
    """Return what a server hears of an application."""
    heard: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *exc_info: object) -> None:
        heard.append((status, dict(headers)))

    body = b"".join(application(environ, start))
    return (*heard[-1], body)


def plain(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "4")])
    return [b"page"]


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("convert", [str, str.encode], ids=["text", "bytes"])
def test_application_is_loaded_with_the_variables_of_the_ini(
    load: Callable[..., Application],
    convert: Callable[[str], object],
    freeze: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever way uWSGI shows its options, the module has the site's variables, and is frozen where it shall be."""
    done: list[str] = []
    monkeypatch.setitem(sys.modules, "gc", SimpleNamespace(collect=lambda: None, freeze=lambda: done.append("frozen")))
    environ: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environ)
    assert asked(load(plain, convert, freeze=freeze)) == ("200 OK", {"Content-Length": "4"}, b"page")
    assert environ == {"MULTIHOST_A": "b=c", "MULTIHOST_B": ""}
    assert done == (["frozen"] if freeze else [])


def test_error_that_the_application_raises_is_a_500(
    load: Callable[..., Application], capsys: pytest.CaptureFixture[str]
) -> None:
    """uWSGI would close the connection, and nginx answer 502; the error is in the log, and not in the answer."""

    def failing(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        raise RuntimeError("what went wrong")

    status, headers, body = asked(load(failing, freeze=False))
    assert (status, body, headers["Content-Length"]) == ("500 Internal Server Error", b"Internal Server Error", "21")
    assert "RuntimeError: what went wrong" in capsys.readouterr().err
    assert asked(load(failing, freeze=False), "HEAD")[::2] == ("500 Internal Server Error", b"")


@pytest.mark.parametrize(("more", "status"), [(0, "200 OK"), (1, "500 Internal Server Error")])
def test_headers_that_nginx_would_refuse_are_a_500(load: Callable[..., Application], more: int, status: str) -> None:
    """Up to the limit they are the application's; a byte more is its error."""

    def long(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("X", "x" * (ANSWER_BYTES - len("X: \r\n") + more))])
        return []

    assert asked(load(long, freeze=False))[0] == status


def test_head_has_the_headers_of_the_page_and_no_body(load: Callable[..., Application]) -> None:
    """A generator states them with its first part; what it has open is closed."""
    closed: list[str] = []

    def generated(environ: dict[str, str], start_response: Callable[..., object]) -> Iterator[bytes]:
        try:
            start_response("200 OK", [("Content-Length", "4")])
            yield b"page"
        finally:
            closed.append("closed")

    for application in (plain, generated):
        assert asked(load(application, freeze=False), "HEAD") == ("200 OK", {"Content-Length": "4"}, b"")
    assert closed == ["closed"]


MOMENT = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("asked", "condition", "status", "shown"),
    [
        ("bytes=-3", "", "206 Partial Content", "bytes 7-9/10"),
        ("bytes=-99", "", "206 Partial Content", "bytes 0-9/10"),
        ("bytes=-0", "", "416 Range Not Satisfiable", "bytes */10"),
        ("bytes=2-4", MOMENT, "206 Partial Content", "bytes 2-4/10"),
        ("bytes=8-", MOMENT, "206 Partial Content", "bytes 8-9/10"),
        ("bytes=8-99", MOMENT, "206 Partial Content", "bytes 8-9/10"),
        ("bytes=10-", MOMENT, "416 Range Not Satisfiable", "bytes */10"),
        ("bytes=10-11", MOMENT, "416 Range Not Satisfiable", "bytes */10"),
        ("bytes=2-4", "Tue, 14 Nov 2023 22:13:19 GMT", "200 OK", ""),
        ("bytes=10-", '"mark"', "200 OK", ""),
        ("bytes=4-2", "", "200 OK", ""),
        ("bytes=-", "", "200 OK", ""),
        ("bytes=--3", "", "200 OK", ""),
        ("bytes=0-1,-3", "", "200 OK", ""),
        (f"bytes=-{'9' * 19}", "", "200 OK", ""),
        ("pages=2-4", "", "200 OK", ""),
        ("", "", "200 OK", ""),
    ],
)
def test_part_of_a_file_is_sent_as_it_is_asked_for(
    load: Callable[..., Application], tmp_path: Path, asked: str, condition: str, status: str, shown: str
) -> None:
    """The very bytes with their place, all of the file in doubt, and no byte where there is none."""
    file, content = tmp_path / "f\u00e9.mp4", b"0123456789"
    file.write_bytes(content)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    environ = {
        "REQUEST_METHOD": "GET",
        "HTTP_RANGE": asked,
        **({"HTTP_IF_RANGE": condition} if condition else {}),
        "MULTIHOST_FILE": str(file).encode().decode("latin-1"),
        "MULTIHOST_TYPE": "video/mp4",
    }
    found, headers, body = answer_of(load(plain, http="127.0.0.1:8000", freeze=False), environ)
    assert (found, headers.get("Content-Range", "")) == (status, shown)
    first, _, last = shown.partition("/")[0].removeprefix("bytes ").partition("-")
    sent = content[int(first) : int(last) + 1] if last else b"" if shown else content
    assert body == sent
    kept = {name: headers[name] for name in ("Content-Type", "Content-Length", "Last-Modified")}
    assert kept == {"Content-Type": "video/mp4", "Content-Length": str(len(sent)), "Last-Modified": MOMENT}


@pytest.mark.parametrize(("http", "body"), [("", b"page"), ("127.0.0.1:8000", b"text")])
def test_files_are_sent_where_uwsgi_serves_them(
    load: Callable[..., Application], tmp_path: Path, http: str, body: bytes
) -> None:
    """Behind nginx the application is asked, whatever stands in the variable."""
    (tmp_path / "a.txt").write_text("text")
    environ = {"REQUEST_METHOD": "GET", "MULTIHOST_FILE": str(tmp_path / "a.txt")}
    assert answer_of(load(plain, http=http, freeze=False), environ)[2] == body
