"""multihost_snapshot."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.commands.conftest import BROKEN, KEY, PASSWORD, REGISTRY, Called, Manage
from tests.registry.test_signature import make_key
from wagtail_multihost.management import progress
from wagtail_multihost.publishing import snapshots
from wagtail_multihost.publishing.pins import pin_sites
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.snapshot import PUBLIC_KEY_VARIABLE, SnapshotRegistry

Call = Callable[..., Called]
BOTH = ["aurora.json", "borealis.json"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "run" / "sites"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_snapshot_writes_a_file_per_enabled_site(call: Call, output: Path) -> None:
    """Each enabled site has a file, a disabled one none, and the report names them."""
    assert call("multihost_snapshot", "--output", output)[:2] == (0, "Created: aurora.json\nCreated: borealis.json\n")
    assert names(output) == BOTH
    assert SnapshotRegistry(output, {}).site("borealis")[1].database.host == "db.internal"


def test_snapshot_prints_no_secret(call: Call, output: Path) -> None:
    """Neither the report nor an error has a secret."""
    printed = call("multihost_snapshot", "--output", output, "-v3")[1:]
    assert KEY not in str(printed)
    assert PASSWORD not in str(printed)


def test_snapshot_again_touches_nothing(call: Call, output: Path) -> None:
    """What is the same is left alone."""
    call("multihost_snapshot", "--output", output)
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(output.iterdir())]
    assert call("multihost_snapshot", "--output", output)[:2] == (0, "Nothing differs.\n")
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(output.iterdir())] == before


def test_snapshot_of_a_site_that_is_gone_is_removed(call: Call, output: Path, registry: Path) -> None:
    """A site that is disabled or gone loses its file, unless sites are chosen."""
    call("multihost_snapshot", "--output", output)
    registry.write_text(REGISTRY.replace("[sites.borealis]", "[sites.borealis]\nenabled = false"))
    assert call("multihost_snapshot", "--output", output, "--site", "aurora")[0] == 0
    assert names(output) == BOTH
    assert call("multihost_snapshot", "--output", output)[:2] == (0, "Removed: borealis.json\n")
    assert names(output) == ["aurora.json"]


def test_snapshot_of_chosen_sites_leaves_the_others(call: Call, output: Path) -> None:
    """With --site only that site's file is written."""
    assert call("multihost_snapshot", "--output", output, "--site", "borealis")[0] == 0
    assert names(output) == ["borealis.json"]


@pytest.mark.parametrize("site", ["draco", "corona", "../aurora"])
def test_snapshot_of_a_site_that_is_not_served_is_refused(call: Call, output: Path, site: str) -> None:
    """An unknown or disabled site is an error, and nothing is written."""
    code, _, err = call("multihost_snapshot", "--output", output, "--site", "aurora", site)
    assert (code, "--site" in err, output.exists()) == (2, True, False)


@pytest.mark.parametrize(("option", "code"), [("--dry-run", 0), ("--check", 1)])
def test_snapshot_that_compares_writes_nothing(call: Call, output: Path, option: str, code: int) -> None:
    """A dry run and a check say what they would do."""
    found = call("multihost_snapshot", "--output", output, option)
    assert (found[0], found[1].splitlines()[0], output.exists()) == (code, "Would be created: aurora.json", False)
    assert found[2].endswith("2 files differ.") is (code == 1)
    call("multihost_snapshot", "--output", output)
    assert call("multihost_snapshot", "--output", output, option)[:2] == (0, "Nothing differs.\n")
    assert call("multihost_snapshot", "--output", output, option, verbosity=0)[:2] == (0, "")


def test_snapshot_of_a_broken_registry_writes_nothing(call: Call, output: Path, registry: Path) -> None:
    """One site with a mistake stops the run before anything is written."""
    registry.write_text(BROKEN)
    assert call("multihost_snapshot", "--output", output)[0] == 2
    assert not output.exists()


def test_snapshot_with_a_secret_that_cannot_be_read_writes_nothing(call: Call, output: Path, registry: Path) -> None:
    """A missing secret of one site is named, and no site's file is written."""
    registry.write_text(REGISTRY.replace(f'password = "{PASSWORD}"', 'password_file = "none"'))
    code, _, err = call("multihost_snapshot", "--output", output)
    assert (code, "sites.borealis.database.password_file" in err, output.exists()) == (2, True, False)


def test_snapshot_does_not_ask_for_secrets_of_disabled_sites(call: Call, output: Path, registry: Path) -> None:
    """A site that is not served needs no secret."""
    line = 'enabled = false\ndatabase = { engine = "postgresql", host = "h", password_file = "none" }'
    registry.write_text(REGISTRY.replace("enabled = false", line))
    assert call("multihost_snapshot", "--output", output)[0] == 0


def test_snapshot_is_signed_with_a_key(call: Call, output: Path, tmp_path: Path) -> None:
    """With a key every file is signed, and read where the public key is asked for."""
    key = make_key(tmp_path, "signing")
    assert call("multihost_snapshot", "--output", output, "--signing-key", key)[0] == 0
    environ = {PUBLIC_KEY_VARIABLE: str(key.with_suffix(".pub"))}
    assert len(SnapshotRegistry(output, environ).load().sites) == 2
    code, _, err = call("multihost_snapshot", "--output", output, "--signing-key", tmp_path / "none")
    assert (code, "--signing-key" in err) == (2, True)


def test_snapshot_by_who_is_not_root_warns_in_production(
    call: Call, output: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of another owner would be refused in production; the run says so."""
    registry.write_text(REGISTRY.replace("[platform]", '[platform]\nenvironment = "production"'))
    pin_sites(open_registry(registry, {}))
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setattr("wagtail_multihost.publishing.snapshot_writer.own_accounts", lambda: (0,))
    code, _, err = call("multihost_snapshot", "--output", output)
    assert (code, "must belong to root" in err) == (0, True)


def test_snapshot_shows_progress_to_who_looks(
    call: Call, output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal a long run has a progress bar."""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert call("multihost_snapshot", "--output", output)[0] == 0
    drawn = capsys.readouterr().err
    assert all(f" {what}" in drawn for what in ("sites", "keys", "snapshots"))


def test_snapshots_serve_the_other_commands(manage: Manage, project: Path, tmp_path: Path) -> None:
    """From the shell: a folder of snapshots lists, explains and runs commands as the registry itself does."""
    folder = tmp_path / "sites"
    assert manage("multihost_snapshot", "--output", str(folder), "--check").returncode == 1
    assert manage("multihost_snapshot", "--output", str(folder)).returncode == 0
    (project / "sites.toml").unlink()
    environ = {"MULTIHOST_REGISTRY": str(folder)}
    listed = json.loads(manage("multihost_sites", "--json", environ=environ).stdout)
    assert [row["id"] for row in listed] == ["aurora", "borealis"]
    assert {row["revision"] for row in listed} == {0}
    explained = manage("multihost_explain", "aurora", environ=environ).stdout
    assert "aurora.json" in explained
    emitted = manage("multihost_emit", "uwsgi", environ=environ)
    assert (emitted.returncode, "Name the registry itself" in emitted.stderr) == (2, True)
    run = manage("multihost_as", "aurora", "probe", environ=environ)
    assert json.loads(run.stdout)["hosts"][0] == "aurora.example.org"
    refused = manage("multihost_as", "corona", "probe", environ=environ)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


def test_snapshot_quietly_reports_nothing(call: Call, output: Path) -> None:
    """With verbosity 0 a run that works prints nothing."""
    assert call("multihost_snapshot", "--output", output, verbosity=0)[:2] == (0, "")
    assert names(output) == BOTH


def test_snapshot_that_is_only_older_is_no_difference(
    call: Call, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who checks asks for what has changed; who writes renews the day that is in the file."""
    call("multihost_snapshot", "--output", output)
    later = datetime.now(UTC) + timedelta(days=20)
    monkeypatch.setattr(snapshots, "datetime", SimpleNamespace(now=lambda zone: later))
    assert call("multihost_snapshot", "--output", output, "--check")[:2] == (0, "Nothing differs.\n")
    told = call("multihost_snapshot", "--output", output, "--dry-run")[1].splitlines()
    assert told == ["Would be renewed: aurora.json", "Would be renewed: borealis.json"]
    assert call("multihost_snapshot", "--output", output)[1] == "Renewed: aurora.json\nRenewed: borealis.json\n"


def test_snapshot_modes_keep_others_out(call: Call, output: Path) -> None:
    """Files are 0440 in a folder that is 0711."""
    call("multihost_snapshot", "--output", output)
    assert stat.S_IMODE(output.stat().st_mode) == 0o711
    assert {stat.S_IMODE(path.stat().st_mode) for path in output.iterdir()} == {0o440}


def test_snapshot_cautions_of_pins_that_are_nowhere_noted(call: Call, output: Path, registry: Path) -> None:
    """Who writes snapshots with pins of an earlier version is told to note them."""
    pin_sites(open_registry(registry, {}))
    assert "does not have the pins" not in call("multihost_snapshot", "--output", output)[2]
    registry.write_text(registry.read_text().partition("[used]")[0])
    code, _, err = call("multihost_snapshot", "--output", output)
    assert (code, "does not have the pins of aurora, borealis" in err) == (0, True)
