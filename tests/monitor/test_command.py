"""The command, as a process of its own beside real servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.monitor.front import HOSTILE_WORD, front, wait_until
from tests.monitor.servers import Site
from wagtail_multihost.monitor import command
from wagtail_multihost.nodeapi.probe_files import Page, Target, parse_observed, read_clock, render_targets
from wagtail_multihost.nodeapi.probe_states import DOWN, UP, WRONG_SITE

AURORA, BOREAL, BROKEN = Site("aurora"), Site("boreal"), Site("broken")
TARGETS = [site.target(scheme="http") for site in (AURORA, BOREAL, BROKEN)]
PROGRAM = [sys.executable, "-P", "-m", "wagtail_multihost.monitor"]


def write_targets(folder: Path, *targets: Target) -> Path:
    path = folder / "targets.json"
    path.write_bytes(render_targets("web1", targets))
    return path


def look_once(
    folder: Path, url: str, *targets: Target, words: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    path = write_targets(folder, *targets)
    line = [*PROGRAM, "--inside", "--development", "--targets", path, "--through", url, "--once", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def test_look_at_all_hostnames_tells_what_is_wrong(tmp_path: Path) -> None:
    """By exit code, a line each, and as JSON; nothing that a site has written is printed."""
    with front(aurora=AURORA, boreal=AURORA, broken=None) as (url, _):
        told = look_once(tmp_path, url, *TARGETS)
        assert (told.returncode, told.stderr) == (1, "")
        lines = {line.split()[1]: line for line in told.stdout.splitlines()[:-1]}
        assert lines["aurora.example"].startswith("up ")
        assert lines["boreal.example"].startswith("wrong-site ") and str(AURORA.uid) in lines["boreal.example"]
        assert lines["broken.example"].startswith("down ")
        assert told.stdout.endswith("3 hostnames, 2 of them bad.\n")
        found = {
            one["hostname"]: one for one in json.loads(look_once(tmp_path, url, *TARGETS, words=("--json",)).stdout)
        }
        assert (found["aurora.example"]["state"], found["boreal.example"]["state"]) == (UP, WRONG_SITE)
        assert (found["broken.example"]["state"], found["broken.example"]["code"]) == (DOWN, 500)
        assert HOSTILE_WORD not in told.stdout and "\x1b" not in told.stdout
        good = look_once(tmp_path, url, TARGETS[0])
        assert (good.returncode, good.stderr) == (0, "")


def test_pages_of_a_site_are_looked_at_too(tmp_path: Path) -> None:
    """Those that its record states, after its readiness."""
    with front(aurora=AURORA) as (url, handler):
        target = TARGETS[0]._replace(pages=(Page("/news/", 200, "<h1>aurora.example</h1>"),))
        assert look_once(tmp_path, url, target).returncode == 0
        assert handler.asked == [("aurora.example", "/-/ready"), ("aurora.example", "/news/")]
        wrong = target._replace(pages=(Page("/", 200, "Welcome"),))
        assert "does not have the text" in look_once(tmp_path, url, wrong).stdout


def test_targets_that_are_missing_are_an_error_only_at_once(tmp_path: Path) -> None:
    """Exit code 2, with a sentence that names the file."""
    line = [*PROGRAM, "--inside", "--development", "--targets", tmp_path / "none", "--through", "http://127.0.0.1:1"]
    told = subprocess.run([*line, "--once"], capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"multihost-monitor: {tmp_path}/none: It cannot be read: No such file or directory.\n"


@contextmanager
def running(folder: Path, url: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A monitor that runs, and the file that it writes."""
    (folder / "own").mkdir(exist_ok=True)
    written = folder / "own" / "observations.json"
    line = [*PROGRAM, "--inside", "--development", "--targets", folder / "targets.json", "--through", url]
    process = subprocess.Popen(
        [*line, "--observations", written, "--period", "5", *words], stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, written
    finally:
        process.kill()
        process.communicate()


def states(path: Path) -> dict[str, str]:
    """Return what counts of each hostname by now."""
    if not path.exists():
        return {}
    observed = parse_observed(path.read_bytes(), "web1", {target.hostname for target in TARGETS})
    return {one.hostname: one.state for one in observed.observations}


def test_monitor_follows_what_happens_and_loses_nothing_when_it_is_stopped(tmp_path: Path) -> None:
    """Down, up again, another site; then SIGTERM, after which the file has what was counted last."""
    with front(aurora=AURORA, boreal=BOREAL, broken=None) as (url, handler):
        write_targets(tmp_path, *TARGETS)
        with running(tmp_path, url) as (process, written):
            wait_until(lambda: states(written) == {"aurora.example": UP, "boreal.example": UP, "broken.example": DOWN})
            handler.signers["broken.example"] = BROKEN
            handler.signers["boreal.example"] = AURORA
            wait_until(lambda: states(written).get("broken.example") == UP)
            wait_until(lambda: states(written).get("boreal.example") == WRONG_SITE)
            write_targets(tmp_path, *TARGETS[:2])
            wait_until(lambda: states(written).keys() == {"aurora.example", "boreal.example"})
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        observed = parse_observed(written.read_bytes(), "web1", {"aurora.example", "boreal.example"})
        assert sum(sum(batch.counts.get("aurora.example", ())) for batch in observed.batches) >= 3
        assert observed.covered_since is not None and observed.covered_since <= read_clock()
        assert "boreal.example: wrong-site (wrong-proof, 200)" in log
        assert "broken.example: up" in log
        assert HOSTILE_WORD not in log and "\x1b" not in log and "Traceback" not in log


def test_second_monitor_waits_for_the_first(tmp_path: Path) -> None:
    """Two that write one file in turns would be believed in turns."""
    with front(aurora=AURORA) as (url, _):
        write_targets(tmp_path, TARGETS[0])
        with running(tmp_path, url) as (_, written):
            first = json.loads(wait_until(lambda: written.exists() and written.read_text()))["boot"]
            with running(tmp_path, url) as (second, _):
                assert second.stderr is not None
                assert "waits for its turn" in second.stderr.readline()
                assert json.loads(written.read_text())["boot"] == first


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "one of the arguments --outside --inside is required"),
        (["--outside"], "--outside needs --database"),
        (["--inside"], "--inside needs --targets"),
        (["--inside", "--targets", "a", "--through", "http://127.0.0.1"], "--inside needs --observations"),
        (["--outside", "--database", "postgresql:///x", "--through", "http://127.0.0.1"], "--through is not for"),
        (["--inside", "--database", "postgresql:///x"], "--database is not for --inside"),
        (["--outside", "--database", "postgresql:///x", "--json"], "--json is for --once"),
        (["--outside", "--database", "postgresql://a:secret@b/x"], "The database is not accepted"),
        (["--outside", "--database", "mysql://b/x"], "The database is not accepted"),
        (["--outside", "--database", "postgresql:///x", "--allow", "x"], "The network 'x' is not accepted"),
        (["--outside", "--database", "postgresql:///x", "--resolver", "x"], "The name server 'x' is not accepted"),
        (["--inside", "--targets", "a", "--through", "x", "--once"], "The URL 'x' is not accepted"),
        (["--outside", "--database", "postgresql:///x", "--period", "1"], "it must be 5 to 3600"),
        (["--outside", "--database", "postgresql:///x", "--ca-file", "/nowhere"], "--ca-file: /nowhere cannot be used"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one sentence, and no secret in it."""
    with pytest.raises(SystemExit) as caught:
        command.run([*words, "--development"])
    told = capsys.readouterr().err
    assert caught.value.code == 2 and sentence in told and "secret" not in told


def test_root_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is a developer's own machine."""
    monkeypatch.setattr(command.os, "geteuid", lambda: 0)
    with pytest.raises(SystemExit) as caught:
        command.run(["--outside", "--database", "postgresql:///x"])
    assert caught.value.code == 2 and "does not run as root" in capsys.readouterr().err
    monkeypatch.setattr(command.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        command.run(["--outside", "--database", "postgresql:///x", "--ports", "1,2"])
    assert "visitors ask at 80 and 443" in capsys.readouterr().err
