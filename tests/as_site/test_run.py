"""How a command of the project is run as a site: in this process's place, or as the site's account."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import wagtail_multihost
from tests.spec.samples import PLATFORM_KEY, a_platform, a_site
from wagtail_multihost.as_site import account as account_module
from wagtail_multihost.as_site import command as main_module
from wagtail_multihost.as_site import run as module
from wagtail_multihost.as_site import snapshot as snapshot_module
from wagtail_multihost.as_site.account import account_to_become
from wagtail_multihost.as_site.program import refuse_foreign_program
from wagtail_multihost.as_site.run import RunRequest, make_launch, replace_process, run_as_site, snapshot_variables
from wagtail_multihost.as_site.snapshot import choose_format, private_folder, write_snapshot
from wagtail_multihost.exceptions import ConfigurationError, LaunchError
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.guard import Ended
from wagtail_multihost.launch.plan import LIMITS
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.snapshot_formats import FORMATS, newest_format

ACCOUNT = Account("games", 5, 60, "/home/games")
PROGRAM = ["/usr/bin/python", "/srv/code/manage.py"]
#: What the site states for its processes.
OWN = (("NEW_RELIC", "50% $HOME"),)


class ExecutedError(Exception):
    """The program that took this process's place."""


# Which account


@pytest.mark.parametrize(
    ("euid", "user", "environment", "expected"),
    [
        (5, "site-{site}", "production", None),
        (5, "", "production", None),
        (0, "site-{site}", "production", "site-aurora"),
        (0, "site-{site}", "development", "site-aurora"),
        (0, "", "development", None),
    ],
)
def test_account_is_the_registrys_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, euid: int, user: str, environment: str, expected: str | None
) -> None:
    """Root becomes the account that is stated, with its group; any other process goes on."""
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(account_module, "account_named", lambda user, group: (user, group))
    platform = a_platform(user=user, environment=environment, data=tmp_path)
    found = account_to_become(platform, a_site())
    assert found == (expected and (expected, platform.own_group_of("aurora")))


def test_root_in_production_needs_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And elsewhere a folder that is its own."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigurationError, match="No account is stated"):
        account_to_become(a_platform(environment="production", data=tmp_path), a_site())
    looked_at: list[object] = []
    monkeypatch.setattr(account_module, "refuse_foreign_folder", lambda *arguments: looked_at.append(arguments))
    platform, site = a_platform(data=tmp_path), a_site()
    assert account_to_become(platform, site) is None
    assert looked_at == [(platform, site)]


# In this process's place


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        (RunRequest(), {"MULTIHOST_REGISTRY": "before"}),
        (RunRequest(settings="a.settings"), {"MULTIHOST_REGISTRY": "before", "DJANGO_SETTINGS_MODULE": "a.settings"}),
        (RunRequest(registry="x.toml"), {"MULTIHOST_REGISTRY": "x.toml"}),
        (RunRequest(registry=""), {"MULTIHOST_REGISTRY": ""}),
    ],
)
def test_program_takes_this_processs_place(
    monkeypatch: pytest.MonkeyPatch, asked: RunRequest, own: dict[str, str]
) -> None:
    """It has the variables of this process, the site's own over them, and the settings and registry as stated."""

    def execve(*arguments: object) -> None:
        raise ExecutedError(*arguments)

    monkeypatch.setattr(os, "execve", execve)
    before = {"A": "b", "NEW_RELIC": "root's", "MULTIHOST_SITE": "other", "MULTIHOST_REGISTRY": "before"}
    monkeypatch.setattr(os, "environ", before)
    for stdout in (SimpleNamespace(flush=lambda: None), None):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stdout)
            with pytest.raises(ExecutedError) as caught:
                replace_process(a_site(env=OWN), PROGRAM, ["probe", "x"], asked)
        environ = {"A": "b", "NEW_RELIC": "50% $HOME", "MULTIHOST_SITE": "aurora", **own}
        assert caught.value.args == (PROGRAM[0], [*PROGRAM, "probe", "x"], environ)


def test_program_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was printed before is written first."""
    flushed: list[bool] = []
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=lambda: flushed.append(True)))
    with pytest.raises(ConfigurationError, match="/nonexistent/python cannot be run: No such file"):
        replace_process(a_site(), ["/nonexistent/python"], ["x"], RunRequest())
    assert flushed == [True]


# As the account


@pytest.fixture(name="registry")
def _registry(tmp_path: Path) -> Any:
    path = tmp_path / "sites.toml"
    path.write_text(
        f'[platform]\nname = "aviary"\nsecret_key = "{PLATFORM_KEY}"\ndata = "{tmp_path}"\n'
        "[platform.env]\nNEW_RELIC = {}\n"
        '[sites.aurora]\nhostnames = ["aurora.example.org"]\nenv = { NEW_RELIC = "50% $HOME" }\n'
    )
    return open_registry(path, {})


@pytest.fixture(name="launched")
def _launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What is launched, and the folder for the run, which is one of the test's."""
    seen: dict[str, Any] = {"folders": []}

    @contextmanager
    def folder() -> Any:
        seen["folders"].append("made")
        yield tmp_path / "outer" / "inner"
        seen["folders"].append("gone")

    def execute(launch: Any) -> Ended:
        seen["launch"] = launch
        return Ended(7, "so")

    monkeypatch.setattr(module, "account_to_become", lambda platform, site: ACCOUNT)
    monkeypatch.setattr(module, "private_folder", folder)
    monkeypatch.setattr(module, "write_snapshot", lambda *arguments: seen.update(written=arguments))
    monkeypatch.setattr(module, "execute", execute)
    monkeypatch.setattr(module, "has_terminal", lambda: False)
    return seen


def test_site_gets_a_snapshot_for_the_run(registry: Any, launched: dict[str, Any], tmp_path: Path) -> None:
    """With its secrets, in a folder that is gone afterwards, as its registry; how it ended is returned."""
    asked = RunRequest(settings="a.settings", registry="ignored", seconds=3.0, raw=True, variables=("KEPT",))
    assert run_as_site("aurora", registry, PROGRAM, ["probe", "x"], asked) == Ended(7, "so")
    folder, opened, _, site, account = launched["written"]
    assert (folder, opened, site.id, account) == (tmp_path / "outer/inner", registry, "aurora", ACCOUNT)
    launch = launched["launch"]
    environ = launch.environ
    assert environ["MULTIHOST_REGISTRY"] == f"{tmp_path}/outer/inner/"
    assert (environ["MULTIHOST_SITE"], environ["DJANGO_SETTINGS_MODULE"]) == ("aurora", "a.settings")
    assert environ["NEW_RELIC"] == "50% $HOME"
    assert (launch.account, launch.words) == (ACCOUNT, (*PROGRAM, "probe", "x"))
    assert (launch.seconds, launch.raw, launch.private) == (3.0, True, tmp_path / "outer")
    assert launched["folders"] == ["made", "gone"] and launch.limits == LIMITS


def test_snapshot_is_for_the_sites_processes_as_it_is(
    monkeypatch: pytest.MonkeyPatch, launched: dict[str, Any]
) -> None:
    """No other is written, and its public key is passed on."""

    class Snapshots:
        url = "/srv/snapshots"

        def site(self, site: str, reads_secrets: bool = True) -> Any:
            assert reads_secrets is False
            return a_platform(), a_site(env=OWN)

    monkeypatch.setattr(module, "SnapshotRegistry", Snapshots)
    name = module.PUBLIC_KEY_VARIABLE
    monkeypatch.setattr(os, "environ", {name: "k", "OTHER": "x"})
    run_as_site("aurora", Snapshots(), PROGRAM, ["probe"], RunRequest())  # type: ignore[arg-type]
    launch = launched["launch"]
    assert (launch.environ["MULTIHOST_REGISTRY"], launch.environ[name]) == ("/srv/snapshots/", "k")
    assert "OTHER" not in launch.environ and launch.private is None
    assert launch.environ["NEW_RELIC"] == "50% $HOME"
    assert launched["folders"] == [] and "written" not in launched
    snapshots: Any = Snapshots()
    assert snapshot_variables(snapshots, {}) == {"MULTIHOST_REGISTRY": "/srv/snapshots/"}


@pytest.mark.parametrize(
    ("has_terminal", "is_tty", "in_front", "wished", "word", "takes_input"),
    [
        (True, True, True, False, "probe", True),
        (False, False, False, False, "probe", False),
        (False, False, False, True, "probe", True),
        (False, False, False, False, "shell", True),
        (False, True, True, True, "probe", True),
        (False, True, False, True, "probe", False),
        (False, True, True, False, "probe", False),
        (False, True, False, False, "loaddata", False),
    ],
)
def test_input_is_passed_on_to_who_reads_it(
    monkeypatch: pytest.MonkeyPatch,
    has_terminal: bool,
    is_tty: bool,
    in_front: bool,
    wished: bool,
    word: str,
    takes_input: bool,
) -> None:
    """At a terminal, where it is asked for, and to commands that read; not from a terminal that is another's."""
    monkeypatch.setattr(module, "has_terminal", lambda: has_terminal)
    monkeypatch.setattr(module, "is_in_foreground", lambda descriptor: in_front and descriptor == 0)
    monkeypatch.setattr(os, "isatty", lambda descriptor: is_tty and descriptor == 0)
    monkeypatch.setattr(os, "environ", {"TERM": "xterm", "KEPT": "x", "OTHER": "y"})
    asked = RunRequest(takes_input=wished, variables=("KEPT",))
    launch = make_launch(ACCOUNT, PROGRAM, [word], {"A": "b"}, asked, None)
    assert (launch.takes_input, launch.has_terminal) == (takes_input, has_terminal)
    assert (launch.environ["KEPT"], launch.environ["A"]) == ("x", "b") and "OTHER" not in launch.environ
    assert ("TERM" in launch.environ) is has_terminal


@pytest.mark.parametrize(
    ("program", "scripts"), [(PROGRAM, ["/srv/code/manage.py"]), (["/usr/bin/python.py", "-m", "django"], [])]
)
def test_account_must_read_the_project_and_the_package(program: list[str], scripts: list[str]) -> None:
    """It works here, or else beside the project's manage.py."""
    launch = make_launch(ACCOUNT, program, ["probe"], {}, RunRequest(), None)
    assert launch.folders == (Path.cwd(), *(Path(script).parent for script in scripts))
    assert launch.reads == (*map(Path, scripts), Path(str(wagtail_multihost.__file__)))


# The snapshot


@pytest.mark.parametrize("first_is_closed", [True, False])
def test_folder_of_a_run_can_be_passed_and_not_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first_is_closed: bool
) -> None:
    """It has a name that nobody guesses, in memory where that is possible, and is gone at the end."""
    places = (tmp_path / "run", tmp_path / "tmp")
    for place in places:
        place.mkdir()
    monkeypatch.setattr(snapshot_module, "MEMORY", places[0])
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(places[1]))
    monkeypatch.setattr(os, "access", lambda path, rights: (path, rights, first_is_closed) == (places[0], 3, False))
    umask = os.umask(0o077)
    try:
        with private_folder() as folder:
            outer = folder.parent
            assert outer.parent == places[first_is_closed] and re.fullmatch("multihost-run-[a-z0-9_]{8}", outer.name)
            assert [path.stat().st_mode & 0o777 for path in (outer, folder)] == [0o711, 0o711]
            assert len(folder.name) == 32 and int(folder.name, 16) >= 0
    finally:
        os.umask(umask)
    assert not outer.exists()


def test_folder_that_cannot_be_removed_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The guard may be removing it at the same time, and how the command ended counts."""

    def rmdir(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(snapshot_module, "MEMORY", tmp_path)
    with monkeypatch.context() as patch, private_folder() as folder:
        patch.setattr(os, "rmdir", rmdir)
    assert folder.parent.parent == tmp_path


def test_snapshot_of_a_run_has_the_sites_keys_and_not_the_platforms(
    monkeypatch: pytest.MonkeyPatch, registry: Any, tmp_path: Path
) -> None:
    """Its group reads it, and one that is not root's is refused."""
    written: list[Any] = []
    real = snapshot_module.write_changes

    def write(changes: list[Any]) -> Any:
        written.extend(changes)
        return real([change._replace(gid=os.getgid()) for change in changes])

    monkeypatch.setattr(snapshot_module, "write_changes", write)
    monkeypatch.setattr(snapshot_module, "ROOT", os.geteuid())
    platform, site = registry.site("aurora")
    folder = tmp_path / "out"
    folder.mkdir()
    write_snapshot(folder, registry, platform, site, ACCOUNT)
    (file,) = folder.iterdir()
    assert PLATFORM_KEY not in file.read_text() and "secret_key" in file.read_text()
    assert [(change.path, change.gid) for change in written] == [(file, 60)]
    monkeypatch.setattr(snapshot_module, "ROOT", os.geteuid() + 1)
    file.unlink()
    with pytest.raises(ConfigurationError, match="not belong to root") as caught:
        write_snapshot(folder, registry, platform, site, ACCOUNT)
    assert [(problem.where, problem.site) for problem in caught.value.problems] == [(str(folder), "aurora")]


def test_snapshot_of_a_run_can_be_read_by_the_version_that_runs() -> None:
    """In a virtual environment of the site's own it may be an older one than this."""
    assert choose_format(a_site()) == newest_format()
    assert choose_format(a_site(code=(("virtualenv", Path(sys.prefix)),))) == newest_format()
    assert choose_format(a_site(code=(("virtualenv", Path("/srv/older")),))) == min(FORMATS) < newest_format()


# The command


@pytest.fixture(name="command")
def _command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What multihost-as runs, and how that ends."""
    seen: dict[str, Any] = {"ended": Ended(7, "It \x1b ended.")}

    def run(*arguments: object) -> Ended:
        seen["arguments"] = arguments
        if isinstance(seen["ended"], Exception):
            raise seen["ended"]
        return seen["ended"]  # type: ignore[no-any-return]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main_module, "open_registry", lambda url, environ: (url, environ is os.environ))
    monkeypatch.setattr(main_module, "run_as_site", run)
    return seen


@pytest.mark.parametrize(
    ("words", "asked", "rest"),
    [
        (["aurora", "probe"], RunRequest(), ["probe"]),
        (["aurora", "probe", "--raw", "--", "-x"], RunRequest(), ["probe", "--raw", "--", "-x"]),
        (["--registry", "r", "--settings", "s", "aurora", "p"], RunRequest(registry="r", settings="s"), ["p"]),
        (
            ["--timeout", "2.5", "--stdin", "--raw", "aurora", "p"],
            RunRequest(seconds=2.5, takes_input=True, raw=True),
            ["p"],
        ),
        (["--env", "A", "--env", "B", "aurora", "p"], RunRequest(variables=("A", "B")), ["p"]),
        (["--timeout", "604800", "aurora", "p"], RunRequest(seconds=604800.0), ["p"]),
        (["--timeout", "0.5", "aurora", "p"], RunRequest(seconds=0.5), ["p"]),
    ],
)
def test_command_line_is_what_is_wished(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: dict[str, Any],
    words: list[str],
    asked: RunRequest,
    rest: list[str],
) -> None:
    """Options stand before the site, and all behind the command is the command's."""
    monkeypatch.setattr(sys, "argv", ["multihost-as", *words])
    assert main_module.run() == 7
    program = [sys.executable, "-m", "django"]
    assert command["arguments"] == ("aurora", (asked.registry, True), program, rest, asked, refuse_foreign_program)
    assert capsys.readouterr() == ("", "It \\x1b ended.\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["aurora"],
        ["--timeout", "0", "aurora", "p"],
        ["--timeout", "-1", "aurora", "p"],
        ["--timeout", "nan", "aurora", "p"],
        ["--timeout", "604801", "aurora", "p"],
        ["--timeout", "x", "aurora", "p"],
        ["--reg", "r", "aurora", "p"],
    ],
)
def test_command_line_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, command: dict[str, Any], words: list[str]
) -> None:
    """Nothing is run without a command, with a time that is none, or with options that are cut short."""
    monkeypatch.setattr(sys, "argv", ["multihost-as", *words])
    with pytest.raises(SystemExit) as caught:
        main_module.run()
    assert caught.value.code == 2 and "arguments" not in command


def test_help_names_the_program_and_its_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: dict[str, Any]
) -> None:
    """Whoever starts it by a module's name reads the name of the command."""
    monkeypatch.setattr(sys, "argv", ["/x/__main__.py", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        main_module.run()
    shown = capsys.readouterr().out
    assert caught.value.code == 0 and shown.startswith("usage: multihost-as ")
    assert main_module.DESCRIPTION in shown and "\nExit codes:\n" in shown


@pytest.mark.parametrize("error", [LaunchError("It \x1b failed."), ConfigurationError.because("It failed.", where="x")])
def test_error_is_a_sentence_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: dict[str, Any], error: Exception
) -> None:
    """A process without an error stream says nothing, and has the code too."""
    monkeypatch.setattr(sys, "argv", ["multihost-as", "aurora", "p"])
    command["ended"] = error
    assert main_module.run() == 2
    shown = capsys.readouterr().err
    assert "failed." in shown and "\x1b" not in shown
    command["ended"] = Ended(3)
    assert main_module.run() == 3
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", None)
    assert main_module.print_sentence("so", errno.EIO) == errno.EIO


def test_projects_manage_py_is_started_where_there_is_one(command: dict[str, Any], tmp_path: Path) -> None:
    """The file of the working folder, by its whole path; a folder of that name is none."""
    (tmp_path / "manage.py").mkdir()
    assert main_module.manage_words() == [sys.executable, "-m", "django"]
    (tmp_path / "manage.py").rmdir()
    (tmp_path / "manage.py").touch()
    assert main_module.manage_words() == [sys.executable, str(tmp_path / "manage.py")]
