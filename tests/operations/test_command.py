"""The command line of the courier."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.nodeapi.courier_v1 import MOST_CHECKS
from wagtail_multihost.operations.courier import command
from wagtail_multihost.operations.courier.command import MOST_WORKERS, make_parser, run
from wagtail_multihost.operations.courier.work_list import parse_database

DATABASE = "postgresql://multihost_courier@127.0.0.1/control"
Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run the command as an account that is not root; return what is on stderr after exit code 2."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def refused(*words: str) -> str:
        try:
            code = run([*words, "--once"])  # whatever is not refused ends
        except SystemExit as ended:
            code = ended.code  # type: ignore[assignment]
        assert code == COULD_NOT
        return capsys.readouterr().err

    return refused


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--database"),
        (["--database", "control"], "Write postgresql://"),
        (["--database", "mysql://localhost/control"], "Write postgresql://"),
        (["--database", "postgresql://h/control?nonsense=1"], "The parameter 'nonsense' is not accepted"),
        (["--database", DATABASE, "--resolver", "dns.test"], "'dns.test' is not accepted"),
        (["--database", DATABASE, "--refuse", "10.0.0.1/8"], "'10.0.0.1/8' is not accepted"),
        (["--database", DATABASE, "--workers", "0"], "1 to 20"),
        (["--database", DATABASE, "--workers", "21"], "1 to 20"),
        (["--database", DATABASE, "--poll", "x"], "1 to 60"),
        (["--database", DATABASE, "--ports", "8000,8001"], "--ports is for --development"),
        (["--database", DATABASE, "--development", "--ports", "8000"], "1 to 65535"),
        (["--data", DATABASE], "--database"),
    ],
)
def test_mistake_in_the_options_is_a_sentence(said: Said, words: list[str], sentence: str) -> None:
    """Each wrong option ends the command before anything is asked."""
    assert sentence in said(*words)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://courier:hunter2@h/control",
        "postgresql://courier@h/control?password=hunter2",
        "postgres://:hunter2@/control",
        "postgresql://courier:hunter2@h/control?nonsense=1",
    ],
)
def test_password_in_the_url_is_refused_and_not_repeated(said: Said, url: str) -> None:
    """Every account of a machine sees the command lines of all processes, and the journal keeps what is said."""
    text = said("--database", url)
    assert "--database" not in text.splitlines()[-1]
    assert "passfile" in text
    assert "hunter2" not in text


def test_url_without_a_password_is_taken() -> None:
    """A file of passwords, a service and a unix socket may be named."""
    for url in (DATABASE, "postgres:///control?host=/run/postgresql", "postgresql://?service=control"):
        assert parse_database(url).parameters


def test_root_is_refused(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that speaks to strangers has an account without rights, even if it is started by mistake."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "does not run as root" in said("--database", DATABASE)


def test_root_makes_no_key(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The courier could not read it, and would not start."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SystemExit) as ended:
        run(["key", "--state", str(tmp_path / "courier")])
    assert ended.value.code == COULD_NOT
    assert "Run this as the courier's account" in capsys.readouterr().err
    assert not (tmp_path / "courier").exists()


def test_root_may_be_asked_for_in_development(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container of a developer everything is root; the next thing is looked at."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "Write postgresql://" in said("--development", "--database", "control")


@pytest.mark.parametrize("package", ["dns", "psycopg"])
def test_missing_package_is_a_sentence(package: str) -> None:
    """Without the extra the command says how to install it."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; from wagtail_multihost.operations.courier.command import run; "
    )
    code += f"run(['--once', '--development', '--database', {DATABASE!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == COULD_NOT
    assert "pip install 'wagtail-multihost[courier]'" in done.stderr


def test_workers_have_work() -> None:
    """More workers than a courier may take checks at once would be idle."""
    assert MOST_WORKERS == MOST_CHECKS


def test_help_has_all_exit_codes() -> None:
    """Who writes a unit reads there what an exit code means."""
    text = make_parser().format_help()
    assert [code for code in command.EXIT_CODES if f"\n  {code}  " not in text] == []
    assert Path(command.__file__).is_file()
