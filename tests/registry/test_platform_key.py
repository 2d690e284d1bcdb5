"""The platform's key that is made where the operator names none."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.accounts import needs_root
from tests.registry.conftest import AURORA, BOREALIS, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry import platform_key as module
from wagtail_multihost.registry.platform_key import COMMAND, create_key_file, read_or_make_key
from wagtail_multihost.spec.secret import Secret

RACERS = 8
UID = 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\n'
PINS = """
[sites.aurora.names]
database = "aviary__aurora"
role = "aviary__aurora"
bucket = "aviary--aurora"
key_prefix = "aviary.aurora"
index_prefix = "aviary_aurora_"
socket = "aurora.sock"
"""


def test_platform_key_is_made_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first use makes a key that only its owner can read, says so, and later uses read it."""
    with caplog.at_level(logging.WARNING, "wagtail_multihost.registry"):
        made = read_or_make_key(tmp_path / "data")
    assert made
    key = made.reveal()
    path = tmp_path / "data" / "platform.key"
    assert len(key) == 64
    assert path.read_text() == f"{key}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [str(path) in message and key not in message for message in caplog.messages] == [True]
    caplog.clear()
    assert read_or_make_key(tmp_path / "data").reveal() == key
    assert caplog.messages == []


def test_platform_key_leaves_no_draft(tmp_path: Path) -> None:
    """Nothing but the key is left in the folder."""
    read_or_make_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["platform.key"]


def test_platform_key_differs_for_every_platform(tmp_path: Path) -> None:
    """Two folders get two keys."""
    assert read_or_make_key(tmp_path / "a").reveal() != read_or_make_key(tmp_path / "b").reveal()


def test_platform_key_of_threads_that_race_is_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of several threads that find no key at once, one makes it and the others take it."""
    start = Barrier(RACERS)

    def race(_: int) -> str:
        start.wait(timeout=30)
        create_key_file(tmp_path / "platform.key")
        return read_or_make_key(tmp_path).reveal()

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(RACERS) as pool:
        keys = set(pool.map(race, range(RACERS)))
    assert len(keys) == 1
    assert len(caplog.messages) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["platform.key"]


def test_platform_key_of_processes_that_race_is_one(tmp_path: Path) -> None:
    """Of several processes that start at once on a new platform, all have one key."""
    code = (
        "import sys; from pathlib import Path; from wagtail_multihost.registry.platform_key import read_or_make_key; "
        "print('ready', flush=True); sys.stdin.read(); print(read_or_make_key(Path(sys.argv[1])).reveal())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(RACERS)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
        racer.stdin = None
    outputs = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * RACERS
    assert {output for output, _ in outputs} == {(tmp_path / "data" / "platform.key").read_text()}


def test_platform_key_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """Where no key can be written the platform is refused; a key of the moment would be worse."""
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(ConfigurationError) as refused:
        read_or_make_key(tmp_path / "data")
    assert [problem.where for problem in refused.value.problems] == ["secret_key"]


def test_platform_key_that_cannot_be_written_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft that could not become the key is removed."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "link", fail)
    with pytest.raises(ConfigurationError, match="No space left"):
        read_or_make_key(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_platform_key_is_made_only_where_a_site_is_read(registry: RegistryMaker, tmp_path: Path) -> None:
    """The key is made when a site that needs it is read, and stays the same."""
    opened = registry('[platform]\nname = "aviary"\n' + AURORA)
    opened.load()
    opened.site("aurora", reads_secrets=False)
    assert not (tmp_path / "data").exists()
    platform, _ = opened.site("aurora")
    assert platform.sources["secret_key"] == str(tmp_path / "data" / "platform.key")
    assert opened.site("aurora")[0].secret_key == platform.secret_key


def test_platform_key_in_a_folder_that_cannot_be_made_is_reported_as_written(
    registry: RegistryMaker, tmp_path: Path
) -> None:
    """The report of a key that cannot be kept names the platform's key."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError) as refused:
        registry('[platform]\nname = "aviary"\n' + AURORA).site("aurora")
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: platform.secret_key"]


ENVIRON = {"MULTIHOST_PLATFORM_NAME": "aviary", "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org"}


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_platform_key_is_made_in_development_alone(registry: RegistryMaker, tmp_path: Path, environment: str) -> None:
    """Elsewhere the error names the command that makes one, and a key that is there already is taken."""
    head = f'[platform]\nname = "aviary"\nenvironment = "{environment}"\n'
    opened = registry(head + AURORA + UID + PINS)
    for read in (lambda: opened.site("aurora"), lambda: opened.read_sites(["aurora"])):
        with pytest.raises(ConfigurationError) as refused:
            read()
        (problem,) = refused.value.problems
        assert problem.where == "sites.toml: platform.secret_key"
        assert COMMAND in problem.message
        assert environment in problem.message
        assert "sites.toml: platform.secret_key_file" in problem.message
    assert not (tmp_path / "data").exists()
    create_in(tmp_path / "data")
    assert opened.site("aurora")[0].secret_key is not None


@needs_root
def test_who_develops_as_root_may_do_so_in_anybodys_folder(registry: RegistryMaker, tmp_path: Path) -> None:
    """A container has the project of the host's account mounted; elsewhere that account could exchange the key."""
    head = '[platform]\nname = "aviary"\n'
    os.chown(tmp_path, 1000, 1000)
    for _ in range(2):  # made, and read
        assert registry(head + AURORA).site("aurora")[0].secret_key is not None
    with pytest.raises(ConfigurationError, match="key is not accepted"):
        registry(f'{head}environment = "production"\n{AURORA}{UID}{PINS}').site("aurora")


def create_in(data: Path) -> None:
    data.mkdir()
    create_key_file(data / "platform.key")


@pytest.mark.parametrize("environment", [None, "production", "development"])
def test_containers_do_not_make_a_platform_key_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    """Variables make a key where they state development, and not where they say nothing."""
    monkeypatch.chdir(tmp_path)
    stated = {"MULTIHOST_PLATFORM_ENVIRONMENT": environment} if environment else {}
    pins = pins_as_variables() if environment == "production" else {}
    opened = open_registry("env:", {"MULTIHOST_SITE": "aurora", **ENVIRON, **stated, **pins})
    if environment == "development":
        assert opened.site("aurora")[0].secret_key is not None
        return
    with pytest.raises(ConfigurationError) as refused:
        opened.site("aurora")
    (problem,) = refused.value.problems
    assert problem.where == "MULTIHOST_PLATFORM_SECRET_KEY"
    assert "MULTIHOST_PLATFORM_SECRET_KEY_FILE" in problem.message
    assert not (tmp_path / "data").exists()


def pins_as_variables() -> dict[str, str]:
    lines = [line.split(" = ") for line in (UID + PINS).splitlines() if " = " in line]
    return {
        f"MULTIHOST_SITE_{'' if key == 'uid' else 'NAMES__'}{key.upper()}": value.strip('"') for key, value in lines
    }


def test_platform_whose_sites_have_keys_of_their_own_needs_none(registry: RegistryMaker, tmp_path: Path) -> None:
    """Where every site states its key, none is made and none is missed; where one does not, it is."""
    own = f'secret_key = "{"own-key-" * 8}"\n'
    assert registry('[platform]\nname = "aviary"\n' + AURORA + own).site("aurora")[0].secret_key is None
    assert not (tmp_path / "data").exists()
    registry('[platform]\nname = "aviary"\n' + AURORA + own + BOREALIS).site("aurora")
    assert (tmp_path / "data" / "platform.key").exists()


def test_command_that_errors_name_makes_a_key(tmp_path: Path) -> None:
    """The command makes a file of the shell's account alone, long enough to be a platform's key."""
    command = COMMAND.replace("/etc/multihost", str(tmp_path))
    subprocess.run(["sh", "-c", command], check=True, timeout=60)
    made = tmp_path / "platform.key"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert len(Secret.from_file(made).reveal()) == 64
