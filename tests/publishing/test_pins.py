"""Writing derived names into a registry file."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing import pins
from wagtail_multihost.publishing.pins import Pin, PinChoices, pin_sites
from wagtail_multihost.registry import open_registry

ALL = PinChoices(keeps_all=True)

TEXT = f"""# The first line.
{HEAD}environment = "production"  # since May

# Borealis was first.
{BOREALIS}
[sites.borealis.settings]  # hers
WAGTAIL_SITE_NAME = 'Borealis'

{AURORA}enabled = true # really
uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
names = {{ database = "kept" }}
# The last line.
"""


def ids(pins: list[Pin]) -> list[str]:
    return [written.site for written in pins]


def test_pin_keeps_every_line_of_the_file_in_its_order(registry: RegistryMaker, tmp_path: Path) -> None:
    """Comments, order and quotes of the operator stay as they were."""
    assert ids(pin_sites(registry(TEXT))) == ["borealis", "aurora"]
    lines = iter((tmp_path / "sites.toml").read_text().splitlines())
    kept = [line for line in TEXT.splitlines() if line and not line.startswith("names")]
    assert all(line in lines for line in kept), "each line is found after the one before"


def test_pin_changes_no_site(registry: RegistryMaker) -> None:
    """The file with pins of sites in use gives the same sites, now pinned, names that were pinned before included."""
    opened = registry(TEXT)
    before = opened.load(requires_pins=False)
    pin_sites(opened, ALL)
    after = opened.load()
    # The file's time of change, which is the revision, may be a second later.
    assert after.platform == replace(before.platform, revision=after.platform.revision)
    assert after.sites == tuple(replace(site, pinned=True) for site in before.sites)
    assert after.sites[1].names.database == "kept"


def test_pin_a_second_time_does_not_touch_the_file(registry: RegistryMaker, tmp_path: Path) -> None:
    """Pinning pinned sites writes nothing."""
    opened = registry(TEXT)
    pin_sites(opened)
    file = tmp_path / "sites.toml"
    before = file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns
    assert pin_sites(opened) == []
    assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns) == before


def test_pinned_names_survive_a_new_platform_name(registry: RegistryMaker) -> None:
    """After the platform is renamed, pinned sites keep their uid and every name."""
    opened = registry(TEXT)
    pin_sites(opened)
    before = opened.load().sites
    path = Path(opened.url)
    path.write_text(path.read_text().replace('name = "aviary"', 'name = "menagerie"'))
    after = opened.load()
    assert after.platform.name == "menagerie"
    assert after.sites == before


@pytest.mark.parametrize(
    "sites",
    [
        '[sites]\naurora = { hostnames = ["a.example"] }\nborealis = { hostnames = ["b.example"] }\n',
        f"{AURORA}[sites.aurora.names]\n# no names yet\n{BOREALIS}",
        f'{BOREALIS}{AURORA}[platform.settings]\nTIME_ZONE = "UTC"\n',
        f"{AURORA}{BOREALIS}".removesuffix("\n"),
    ],
    ids=["inline", "empty table", "platform last", "no last newline"],
)
def test_pin_understands_every_way_to_write_a_table(registry: RegistryMaker, sites: str) -> None:
    """Inline tables and tables in any order are pinned."""
    opened = registry(HEAD + sites)
    before = opened.load().sites
    assert sorted(ids(pin_sites(opened, ALL))) == ["aurora", "borealis"]
    assert opened.load().sites == tuple(replace(site, pinned=True) for site in before)


def test_pin_of_a_table_that_cannot_be_extended_is_refused(registry: RegistryMaker) -> None:
    """A site in dotted keys, to which tomlkit adds wrongly, is left for the operator; the file stays as it was."""
    text = HEAD + '[sites]\nborealis.hostnames = ["b.example"]\n'
    opened = registry(text)
    with pytest.raises(ConfigurationError, match="by hand"):
        pin_sites(opened)
    assert Path(opened.url).read_text() == text


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_pin_keeps_the_mode_of_the_file(registry: RegistryMaker, tmp_path: Path, mode: int) -> None:
    """The file, which may have secrets, keeps its permissions."""
    opened = registry(TEXT)
    (tmp_path / "sites.toml").chmod(mode)
    pin_sites(opened)
    assert stat.S_IMODE((tmp_path / "sites.toml").stat().st_mode) == mode


def test_pin_keeps_the_owner_of_the_file(registry: RegistryMaker, tmp_path: Path) -> None:
    """The file keeps its owner and group."""
    opened = registry(TEXT)
    if os.geteuid() == 0:  # only root can give files away
        os.chown(tmp_path / "sites.toml", 1234, 4321)
    before = (tmp_path / "sites.toml").stat()
    pin_sites(opened)
    after = (tmp_path / "sites.toml").stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_pin_follows_a_symbolic_link(registry: RegistryMaker, tmp_path: Path) -> None:
    """A link to the registry stays a link; the file it leads to is written."""
    registry(TEXT)
    link = tmp_path / "link.toml"
    link.symlink_to("sites.toml")
    assert len(pin_sites(open_registry(link, {}))) == 2
    assert link.is_symlink()
    assert pin_sites(open_registry(tmp_path / "sites.toml", {})) == []


def test_pin_that_fails_leaves_the_file_as_it_was(
    registry: RegistryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file cannot be replaced, it stays and no draft with its secrets is left."""
    opened = registry(TEXT)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConfigurationError, match="No space left"):
        pin_sites(opened)
    assert [path.name for path in tmp_path.iterdir()] == ["sites.toml"]
    assert (tmp_path / "sites.toml").read_text() == TEXT


def test_pin_that_would_change_other_keys_is_refused(registry: RegistryMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that does not read back as the old registry with pins is never written."""
    import tomlkit

    opened = registry(TEXT)
    monkeypatch.setattr(tomlkit, "dumps", lambda document: HEAD)
    with pytest.raises(ConfigurationError, match="by hand"):
        pin_sites(opened)
    assert Path(opened.url).read_text() == TEXT


def test_pin_of_a_registry_with_mistakes_is_refused(registry: RegistryMaker) -> None:
    """Nothing is pinned while the registry has problems."""
    text = TEXT.replace("enabled = true", "enabled = 7")
    opened = registry(text)
    with pytest.raises(ConfigurationError):
        pin_sites(opened)
    assert Path(opened.url).read_text() == text


def test_pin_of_the_environment_is_refused() -> None:
    """Variables cannot be pinned."""
    with pytest.raises(ConfigurationError, match="Only a registry in a TOML file"):
        pin_sites(open_registry("env:", {}))


def test_pin_of_a_file_with_a_byte_order_mark_is_read_over(registry: RegistryMaker) -> None:
    """What can be loaded can be pinned."""
    opened = registry(f"\ufeff{HEAD}{AURORA}")
    assert ids(pin_sites(opened)) == ["aurora"]
    assert opened.load().sites[0].pinned


#: Pins a registry, and waits before it writes until the other run is about to write too, or surely will not.
SLOW_RUN = """
import json, sys, time
from pathlib import Path
from wagtail_multihost.publishing import pins
from wagtail_multihost.registry import open_registry

path, own, other = map(Path, sys.argv[1:])
write = pins.replace_file

def write_late(*arguments):
    own.touch()
    end = time.monotonic() + 2
    while not other.exists() and time.monotonic() < end:
        time.sleep(0.02)
    write(*arguments)

pins.replace_file = write_late
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([str(pin.uid) for pin in pins.pin_sites(open_registry(path, {}))]))
"""


def test_pin_by_two_runs_at_once_loses_no_line(registry: RegistryMaker, tmp_path: Path) -> None:
    """Each uid that one of two runs has told is in the table of used ids, and is the site's."""
    path = Path(registry(HEAD + AURORA + BOREALIS).url)
    words = [sys.executable, "-c", SLOW_RUN, path]
    marks = [tmp_path / "one", tmp_path / "two"]
    runs = [
        subprocess.Popen([*words, *order], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for order in (marks, marks[::-1])
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    told = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    document = tomllib.loads(path.read_text())
    assert {uid for uids in told for uid in uids} == {table["uid"] for table in document["sites"].values()}
    assert sorted(map(len, told)) == [0, 2]
    assert {line["uid"] for lines in document["used"].values() for line in lines} == {*told[0], *told[1]}


def test_pin_of_a_file_that_another_run_holds_is_refused(
    registry: RegistryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for a lock, and what is locked is left alone."""
    monkeypatch.setattr(pins, "LOCK_SECONDS", 0.2)
    opened = registry(HEAD + AURORA)
    with open(opened.url, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(ConfigurationError, match="lock"):
            pin_sites(opened)
    assert Path(opened.url).read_text() == HEAD + AURORA
