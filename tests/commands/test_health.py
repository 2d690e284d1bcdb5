"""multihost_health: looking, asking and draining as a site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands.conftest import Called, Manage
from wagtail_multihost import running
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.http_client.client import NoAnswerError
from wagtail_multihost.management.commands import multihost_health

OWN_PROBE = """
import logging
import os
from dataclasses import dataclass

from wagtail_multihost.health.probe import Outcome, Probe
from wagtail_multihost.health.status import Status


@dataclass(frozen=True, kw_only=True)
class OwnProbe(Probe):
    codes = {"own": "The test's."}

    def measure(self):
        logging.getLogger("wagtail_multihost.health").error("It is logged.")
        status = Status[os.environ["OWN_STATUS"]]
        yield Outcome(status, "own" if status else "ok", 7, "bytes")
"""
#: A process that is the site's already is not started a second time.
AS_AURORA = {"MULTIHOST_SITE": "aurora", "OWN_STATUS": "PASS"}
SETTING = """
MULTIHOST_HEALTH = {"PROBES": {"own": {"BACKEND": "website.probes.OwnProbe"}}}
"""


@pytest.fixture(name="probed")
def _probed(project: Path) -> Path:
    """The project, with one probe that finds what a variable says."""
    (project / "website" / "probes.py").write_text(OWN_PROBE)
    settings = project / "website" / "settings.py"
    settings.write_text(SETTING + settings.read_text())
    return project


def drain_of(project: Path, site: str = "aurora") -> Path:
    (path,) = (project / "data" / "sites" / site / "tmp").glob(f"drain-{site}-*")
    return path


@pytest.mark.parametrize(("status", "code", "probe"), [("PASS", 0, 0), ("FAIL", 1, 1), ("WARN", 3, 0)])
def test_exit_code_is_of_what_probes_find(probed: Path, manage: Manage, status: str, code: int, probe: int) -> None:
    """The probes run in this process, as the site: no server is needed, and a probe's line is all there is."""
    environ = {"OWN_STATUS": status}
    done = manage("multihost_health", "--site", "aurora", environ=environ)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[0] == status.lower()
    assert "aurora" in done.stdout and "own" in done.stdout and "7" in done.stdout
    done = manage("multihost_health", "--site", "aurora", "--probe", environ=environ)
    reason = "" if status == "PASS" else ": own own"
    assert (done.returncode, done.stdout) == (probe, f"{status.lower()}{reason}\n")
    assert "logged" not in done.stderr


def test_json_is_the_endpoints_document(probed: Path, manage: Manage) -> None:
    """Details are there: whoever can start the site's processes may see them."""
    done = manage("multihost_health", "--site", "aurora", "--json", environ={**AS_AURORA, "OWN_STATUS": "WARN"})
    document = json.loads(done.stdout)
    assert (done.returncode, document["status"], document["serviceId"]) == (3, "warn", "aurora")
    assert document["checks"]["own:bytes"][0]["output"] == "own"


@pytest.mark.parametrize("words", [(), ("--site", "draco"), ("--site", "corona"), ("--token",), ("--drain",)])
def test_without_a_site_it_cannot_be_told(manage: Manage, words: tuple[str, ...]) -> None:
    """No site, an unknown one and a disabled one are exit code 2, and 1 for a probe."""
    done = manage("multihost_health", *words)
    assert (done.returncode, done.stdout) == (2, "") and "Traceback" not in done.stderr
    if words[:1] != ("--token",) and words[:1] != ("--drain",):
        done = manage("multihost_health", "--probe", *words)
        assert (done.returncode, done.stdout.count("\n")) == (1, 1) and "Traceback" not in done.stderr


def test_mistakes_in_settings_are_exit_code_2(probed: Path, manage: Manage) -> None:
    """A probe that cannot be made tells nothing about the site."""
    settings = probed / "website" / "settings.py"
    settings.write_text(settings.read_text().replace("OwnProbe", "OtherProbe"))
    done = manage("multihost_health", "--site", "aurora", environ=AS_AURORA)
    assert done.returncode == 2 and "OtherProbe" in done.stderr
    done = manage("multihost_health", "--site", "aurora", "--probe", environ=AS_AURORA)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)


def test_arguments_that_do_not_fit_are_1_for_a_probe(manage: Manage) -> None:
    """Docker keeps the exit code 2 for itself."""
    assert manage("multihost_health", "--probe", "--json").returncode == 1
    assert manage("multihost_health", "--token", "--json").returncode == 2


def test_drain_is_begun_shown_and_ended(probed: Path, manage: Manage) -> None:
    """The file is in the site's own folder, and nobody else's account can write it."""
    done = manage("multihost_health", "--site", "aurora", "--drain", environ={"OWN_STATUS": "PASS"})
    path = drain_of(probed)
    assert (done.returncode, done.stdout) == (0, f"draining: {path}\n"), done.stderr
    assert path.stat().st_uid == path.parent.stat().st_uid == (probed / "data/sites/aurora").stat().st_uid
    assert not path.stat().st_mode & 0o022 and not path.parent.stat().st_mode & 0o077
    # As the endpoint's: who drains is not ready, whatever the probes find.
    done = manage("multihost_health", "--site", "aurora", environ=AS_AURORA)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "draining")
    done = manage("multihost_health", "--site", "aurora", "--probe", environ=AS_AURORA)
    assert (done.returncode, done.stdout) == (1, "draining\n")
    done = manage("multihost_health", "--site", "aurora", "--json", environ=AS_AURORA)
    document = json.loads(done.stdout)
    assert (done.returncode, document["status"], document["output"]) == (1, "fail", "draining")
    done = manage("multihost_health", "--site", "aurora", "--undrain", "--wait", "60", environ=AS_AURORA)
    assert (done.returncode, done.stdout) == (0, f"serving: {path}\n")
    assert not path.exists()
    assert manage("multihost_health", "--site", "aurora", "--probe", environ=AS_AURORA).stdout == "pass\n"


def test_drain_that_cannot_be_written_is_exit_code_2(probed: Path, manage: Manage) -> None:
    """A hook that did nothing must not look as if it had."""
    settings = probed / "website" / "settings.py"
    settings.write_text(settings.read_text().replace('{"PROBES"', '{"DRAIN_FILE": "/nonesuch/drain", "PROBES"'))
    done = manage("multihost_health", "--site", "aurora", "--drain", environ=AS_AURORA)
    assert done.returncode == 2 and "/nonesuch/drain" in done.stderr and "Traceback" not in done.stderr


def test_token_differs_between_sites(manage: Manage) -> None:
    """Each site's token is printed alone, and is another one than its neighbour's."""
    tokens = [manage("multihost_health", "--site", site, "--token").stdout for site in ("aurora", "borealis")]
    assert len(set(tokens)) == 2 and all(len(token) == 65 and token.endswith("\n") for token in tokens)


def test_url_needs_no_site(call: Callable[..., Called]) -> None:
    """Asking is a matter of the server: what cannot be reached is exit code 2."""
    code, out, err = call("multihost_health", "--url", "unix:/nonesuch.sock")
    assert (code, out) == (2, "") and "There was no answer" in err


@pytest.mark.parametrize(
    ("url", "sent"), [("http://127.0.0.1:9", "own"), ("http://192.0.2.1:9", ""), ("https://192.0.2.1", "own")]
)
def test_own_token_is_not_sent_in_the_clear(
    call: Callable[..., Called], monkeypatch: pytest.MonkeyPatch, url: str, sent: str
) -> None:
    """The site's token goes along by itself, but not where others may read it."""
    tokens: list[str] = []

    def note(*arguments: object, token: str, **options: Any) -> None:
        tokens.append(token)
        raise NoAnswerError("noted")

    monkeypatch.setattr(multihost_health, "own_id", lambda: "aurora")
    monkeypatch.setattr(multihost_health, "site_tokens", lambda: ("own",))
    monkeypatch.setattr("wagtail_multihost.health.asking.ask_server", note)
    assert call("multihost_health", "--url", url)[0] == 2
    assert tokens == [sent]


def test_wait_is_for_the_drain_alone(
    call: Callable[..., Called], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> None:
    """A preStop hook waits after it has drained, so that all who send visitors have seen it."""
    settings.MULTIHOST_HEALTH = {"DRAIN_FILE": str(tmp_path / "drain"), "PROBES": {}}
    drain = Drain(tmp_path / "drain")
    waited: list[tuple[float, bool]] = []
    monkeypatch.setattr(running, "_current", None)
    # Of the command alone: threads that other tests have left sleep as well.
    own = SimpleNamespace(sleep=lambda seconds: waited.append((seconds, drain.is_on())))
    monkeypatch.setattr(multihost_health, "time", own)
    assert call("multihost_health", "--drain", "--wait", "7")[0] == 0
    assert call("multihost_health", "--undrain", "--wait", "7")[0] == 0
    assert waited == [(7, True), (0, False)]


def test_help_has_the_exit_codes_and_examples(manage: Manage) -> None:
    """Who reads the help knows what a script may rely on."""
    out = manage("multihost_health", "--help").stdout
    assert "\n  3  warn\n" in out and "\n  manage.py multihost_health --site aurora --drain --wait 10\n" in out
