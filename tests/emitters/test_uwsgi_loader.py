"""What is imported in the master of a vassal: it loads the application, and answers where uWSGI leaves that to it."""

from __future__ import annotations

import importlib
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
    """Return what a server hears of an application."""
    heard: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *exc_info: object) -> None:
        heard.append((status, dict(headers)))

    body = b"".join(application({"REQUEST_METHOD": method}, start))
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
