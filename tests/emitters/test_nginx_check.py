"""How nginx is asked to test a scratch copy: the whole command, and the copy for who is not root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.test_golden import TLS
from wagtail_multihost.emitters import Plan, Stage, Validation, emitters
from wagtail_multihost.emitters.nginx import check
from wagtail_multihost.spec.nginx import NginxOptions

OPTIONS = {"http": ("0.0.0.0:80", "[::]:80"), "https": ("0.0.0.0:443", "[::]:443"), "cache": 10}
SITES = (make_site("aurora", tls=TLS), make_site("borealis", nginx=(("rate", 5),)))


def make(**options: object) -> Plan:
    """Return a plan for two sites of which one is chosen, with ``options`` of nginx."""
    platform = make_platform(nginx=NginxOptions(**{**OPTIONS, **options}))  # type: ignore[arg-type]
    return make_plan(*SITES, platform=platform, only=frozenset({"aurora"}))


def validation(folder: Path, plan: Plan) -> Validation:
    """Return the only command that checks a stage in ``folder``, which has a generation and a foreign file."""
    for name in ("generation.conf", "foreign.conf"):
        path = folder / "nginx" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name}\n")
    (found,) = emitters()["nginx"].validate(Stage(plan, folder, frozenset()))
    return found


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a program that stands for nginx, in the folder of PATH."""
    path = tmp_path / "bin" / "nginx"
    path.parent.mkdir()
    path.touch(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return str(path)


@pytest.mark.parametrize(
    ("version", "switch"),
    [("1.18.0", ()), ("1.19.4", ()), ("1.19.5", ("-e", "stderr")), ("1.22", ("-e", "stderr"))],
)
def test_root_has_the_stage_itself_tested(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch, version: str, switch: tuple[str, ...]
) -> None:
    """The command is nginx's test of the staged main file, with its errors on stderr where the version can say so."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    main = f"{tmp_path}/nginx/nginx.conf"
    found = validation(tmp_path, make(version=version))
    assert found == Validation((program, "-t", "-q", *switch, "-c", main), main)
    assert not (tmp_path / "unprivileged").exists()


def test_who_is_not_root_has_a_copy_tested_that_touches_nothing_else(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy has all sites, the generation, and places and addresses of its own that the account may use."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    copy = tmp_path / "unprivileged"
    validation(tmp_path, make())
    found = validation(tmp_path, make())  # the stage is kept from run to run
    main = f"{copy}/nginx/nginx.conf"
    assert found == Validation((program, "-t", "-q", "-e", "stderr", "-c", main), main)
    own = NginxOptions(
        **{
            **OPTIONS,
            "http": ("127.0.0.1:42000", "127.0.0.1:42001"),
            "https": ("127.0.0.1:43000", "127.0.0.1:43001"),
            "logs": copy / "logs",
            "temp": copy / "temp",
            "cache_path": copy / "cache_path",
            "pid": copy / "nginx.pid",
        }  # type: ignore[arg-type]
    )
    expected = texts("nginx", make_plan(*SITES, platform=make_platform(nginx=own), directory=copy))
    written = {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*") if path.is_file()}
    assert written == {**expected, "nginx/generation.conf": "# generation.conf\n"}
    assert "nginx/sites/borealis.conf" in written
    assert all((copy / name).is_dir() for name in ("logs", "temp", "cache_path"))


def test_nginx_is_found_where_administrators_programs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian has it in /usr/sbin, where PATH does not lead everybody; where it is missing its name is left to PATH."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "sbin").mkdir()
    monkeypatch.setattr(check, "PROGRAMS", str(tmp_path / "sbin"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert validation(tmp_path, make()).command[0] == "nginx"
    (tmp_path / "sbin" / "nginx").touch(0o755)
    assert validation(tmp_path, make()).command[0] == f"{tmp_path}/sbin/nginx"
