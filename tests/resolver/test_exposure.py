"""What a process in production must not be able to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.checks import run_checks
from django.http import HttpResponse

from tests.accounts import NOBODY, OTHER_GROUP, SITE_GROUP, acting_as, needs_root, passable_folder
from tests.registry.test_snapshot import group, grouped, public_folder, snap  # noqa: F401  # two fixtures
from tests.spec.samples import a_site
from wagtail_multihost import running
from wagtail_multihost.checks import TAG
from wagtail_multihost.checks import exposure as checks
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.health import middleware
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import exposure, resolve
from wagtail_multihost.resolver.exposure import exposures, is_readable, refuse_exposed
from wagtail_multihost.resolver.starting import start_of_process
from wagtail_multihost.running import Running

# Fixtures of another module are arguments here.
# ruff: noqa: F811

PINS = """
uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
[sites.aurora.names]
database = "aviary__aurora"
role = "aviary__aurora"
bucket = "aviary--aurora"
key_prefix = "aviary.aurora"
index_prefix = "aviary_aurora_"
socket = "aurora.sock"
"""
HEAD = '[platform]\nname = "aviary"\nsecret_key = "platform-key-0123456789-0123456789"\n'
AURORA = f'[sites.aurora]\nhostnames = ["aurora.example.org"]\n{PINS}'


@pytest.fixture(autouse=True)
def effective_account(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Look at the effective account alone: these tests take another one, and become root again."""
    if "whole_account" not in request.fixturenames:
        monkeypatch.setattr(exposure, "runs_as_root", lambda: os.geteuid() == 0)
    # Root is refused before, which is looked at elsewhere.
    monkeypatch.setattr("wagtail_multihost.resolver.refuse_root", lambda platform, site: None)


@pytest.fixture
def whole_account() -> None:
    """Leave the question as it is."""


@needs_root
def test_process_that_can_become_root_again_runs_as_root(whole_account: None) -> None:
    """An effective account is no protection while the real or the saved one is root."""
    with acting_as(NOBODY):
        assert os.geteuid() != 0
        assert exposure.runs_as_root()


def of_file(folder: Path, platform: str) -> Running:
    path = folder / "sites.toml"
    path.write_text(f"{HEAD}{platform}\n{AURORA}")
    return of_variables({"MULTIHOST_SITE": "aurora"}, path)


def of_variables(environ: dict[str, str], registry: Path | None = None) -> Running:
    resolved = resolve(registry, environ=environ)
    return Running(platform=resolved.platform, site=resolved.site, opened=resolved.opened)


def of_snapshot(folder: Path, site: str = SITE_GROUP) -> Running:
    registry = open_registry(folder, {})
    platform, spec = registry.site(site)
    return Running(platform=platform, site=spec, opened=registry)


def sentences(process: Running) -> str:
    return "\n".join(exposures(process))


def test_process_of_the_whole_registry_is_exposed_in_production(tmp_path: Path) -> None:
    """A process that reads the registry's file has the platform's key, and says so."""
    assert "platform's key" in sentences(of_file(tmp_path, 'environment = "production"'))


@pytest.mark.parametrize(
    "platform", ["", 'environment = "staging"', 'environment = "production"\nshares_registry = true']
)
def test_process_elsewhere_or_that_may_read_all_is_not_exposed(tmp_path: Path, platform: str) -> None:
    """Outside production, and where the platform says that sites share the registry, nothing is refused."""
    assert sentences(of_file(tmp_path, platform)) == ""


def test_container_with_a_key_of_the_sites_own_is_not_exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables with the site's own key need no key of the platform, and none is made; without it they are refused."""
    monkeypatch.setattr("wagtail_multihost.resolver.exposure.os.geteuid", lambda: 1000)
    monkeypatch.chdir(tmp_path)
    environ = {
        "MULTIHOST_REGISTRY": "env:",
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_PLATFORM_ENVIRONMENT": "production",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_SITE_UID": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978",
        **{f"MULTIHOST_SITE_NAMES__{line.split()[0].upper()}": line.split('"')[1] for line in PINS.splitlines()[3:]},
    }
    own = {"MULTIHOST_SITE_SECRET_KEY": "own-key-" * 8}
    assert sentences(of_variables({**environ, **own})) == ""
    with pytest.raises(ConfigurationError) as refused:
        resolve(environ=environ)
    assert [problem.where for problem in refused.value.problems] == ["MULTIHOST_PLATFORM_SECRET_KEY"]
    stated = {"MULTIHOST_PLATFORM_SECRET_KEY": "platform-key-0123456789-0123456789"}
    assert "platform's key" in sentences(of_variables({**environ, **stated}))
    assert not (tmp_path / "data" / "platform.key").exists()


def test_build_mode_and_test_runs_are_not_exposed(tmp_path: Path) -> None:
    """Without a site, and on a throw-away one, there is nothing to expose."""
    assert sentences(Running()) == ""


def test_exposed_process_is_refused_with_every_reason(tmp_path: Path) -> None:
    """The error has a problem per reason, under the key that would allow it, and says what to do."""
    with pytest.raises(ConfigurationError) as refused:
        refuse_exposed(of_file(tmp_path, 'environment = "production"'))
    assert {problem.where for problem in refused.value.problems} == {"platform.shares_registry"}
    assert {problem.site for problem in refused.value.problems} == {"aurora"}
    assert "multihost_snapshot" in str(refused.value)


@pytest.mark.parametrize("is_for_operators", [False, True])
def test_process_that_reads_the_control_database_is_exposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_for_operators: bool
) -> None:
    """It can read every site's record there, whatever the rights of its files are."""
    process = of_file(tmp_path, 'environment = "production"')
    monkeypatch.setattr(type(process.opened), "is_for_operators", is_for_operators)
    monkeypatch.setattr(exposure, "runs_as_root", lambda: False)
    assert ("its registry is not one of snapshots" in sentences(process)) is is_for_operators


@needs_root
def test_process_of_its_snapshot_alone_is_not_exposed(grouped: Path) -> None:
    """An account with one site's group, and no right to list the folder, may serve in production."""
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert sentences(of_snapshot(grouped)) == ""


@needs_root
def test_process_of_root_is_exposed(grouped: Path) -> None:
    """Root reads everything."""
    assert "root" in sentences(of_snapshot(grouped))


@needs_root
@pytest.mark.parametrize("name", ["sites.toml", "data/platform.key", "keys/platform"])
def test_process_that_can_read_the_registry_or_its_key_is_exposed(grouped: Path, name: str) -> None:
    """The registry that a snapshot was made of, its key files and the key in the data folder are looked at."""
    registry = grouped.parent / "sites.toml"
    (grouped.parent / "keys").mkdir()
    (grouped.parent / "data").mkdir(exist_ok=True)
    for path in ("data/platform.key", "keys/platform"):
        (grouped.parent / path).write_text("platform-key-0123456789-0123456789\n")
        (grouped.parent / path).chmod(0o600)
    text = registry.read_text().splitlines()
    text = ['secret_key_file = "keys/platform"' if line.strip().startswith("secret_key") else line for line in text]
    registry.write_text("\n".join(text))
    snap(open_registry(registry, {}), grouped)
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert sentences(of_snapshot(grouped)) == ""
    (grouped.parent / name).chmod(0o644)
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert str(grouped.parent / name) in sentences(of_snapshot(grouped))


@needs_root
def test_process_with_the_group_of_a_neighbour_is_exposed(grouped: Path) -> None:
    """A neighbour's snapshot that can be read is found, in a folder that can be listed and in one that cannot."""
    with acting_as(NOBODY, group(SITE_GROUP), group(OTHER_GROUP)):
        assert f"{OTHER_GROUP}.json" in sentences(of_snapshot(grouped))
    grouped.chmod(0o755)
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert sentences(of_snapshot(grouped)) == ""
    with acting_as(NOBODY, group(SITE_GROUP), group(OTHER_GROUP)):
        assert f"{OTHER_GROUP}.json" in sentences(of_snapshot(grouped))


@needs_root
def test_process_of_a_group_for_all_sites_is_exposed(grouped: Path) -> None:
    """A group without the site in it reads every snapshot, also in a folder that cannot be listed."""
    registry = grouped.parent / "sites.toml"
    registry.write_text(registry.read_text().replace('group = "{site}"', f'group = "{SITE_GROUP}"'))
    snap(open_registry(registry, {}), grouped)
    with acting_as(NOBODY, group(SITE_GROUP)):
        assert "platform.group" in sentences(of_snapshot(grouped, OTHER_GROUP))


@needs_root
def test_snapshot_keeps_that_the_registry_is_shared(grouped: Path) -> None:
    """The flag is written in snapshots, so that one account may serve all of them."""
    registry = grouped.parent / "sites.toml"
    registry.write_text(registry.read_text().replace("[platform]", "[platform]\nshares_registry = true"))
    snap(open_registry(registry, {}), grouped)
    assert sentences(of_snapshot(grouped)) == ""


@pytest.fixture
def closed_file() -> Iterator[Path]:
    with passable_folder() as folder:
        path = folder / "secret"
        path.touch(0o600)
        yield path


@needs_root
def test_readable_is_what_the_account_of_the_moment_can_read(closed_file: Path) -> None:
    """Not the account that started the process: servers change theirs."""
    assert is_readable(closed_file)
    with acting_as(NOBODY):
        assert not is_readable(closed_file)
    assert not is_readable(closed_file.parent / "none")


@pytest.fixture
def exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last apply was that of a process in production which has read the whole registry."""
    monkeypatch.setattr(running, "_current", of_file(tmp_path, 'environment = "production"'))


def ids() -> set[str]:
    found = run_checks(tags=[TAG], databases=[])
    return {str(message.id).removeprefix("wagtail_multihost.") for message in found} & {"E006", "W001"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["manage.py", "check"], {"E006"}),
        (["manage.py", "runserver"], {"E006"}),
        (["uwsgi"], {"E006"}),
        ([], {"E006"}),
        (["manage.py"], set()),
        (["manage.py", "testserver"], {"E006"}),
        (["django-admin", "migrate"], set()),
        (["/venv/bin/gunicorn", "migrate"], {"E006"}),
        (["manage.py", "migrate"], set()),
        (["/srv/manage.py", "multihost_as", "aurora"], set()),
        (["/venv/django/__main__.py", "createsuperuser"], set()),
    ],
)
def test_exposed_process_is_e006_unless_it_only_manages(
    exposed: None, monkeypatch: pytest.MonkeyPatch, argv: list[str], expected: set[str]
) -> None:
    """What serves, or asks whether it may, has an error; other commands go on, whoever runs them."""
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("PYTEST_VERSION")
    command, serves = start_of_process()
    made = running.current()
    assert made
    monkeypatch.setattr(running, "_current", replace(made, command=command, serves=serves))
    assert ids() == expected


def test_exposed_process_serves_nothing(exposed: None) -> None:
    """No handler starts with the middleware."""
    with pytest.raises(ConfigurationError):
        middleware.HealthMiddleware(lambda request: HttpResponse())


@pytest.mark.parametrize(("days", "expected"), [(1, set()), (29, set()), (31, {"W001"})])
def test_old_snapshot_is_w001(monkeypatch: pytest.MonkeyPatch, days: int, expected: set[str]) -> None:
    """A snapshot that nothing has renewed for a month is a warning."""
    created = datetime.now(UTC) - timedelta(days=days)
    registry = SimpleNamespace(written_at=lambda site: created)
    monkeypatch.setattr(running, "_current", Running(opened=cast(Any, registry), site=a_site()))
    assert ids() == expected


@pytest.mark.parametrize("age", [timedelta(days=30), timedelta(days=30, microseconds=-1)])
def test_snapshot_is_old_from_the_thirtieth_day_on(monkeypatch: pytest.MonkeyPatch, age: timedelta) -> None:
    """At the limit it is told of, and a moment before it is not; the message has the day of the snapshot."""
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    registry = SimpleNamespace(written_at=lambda site: moment if site == "aurora" else None)
    monkeypatch.setattr(running, "_current", Running(opened=cast(Any, registry), site=a_site()))
    monkeypatch.setattr(checks, "datetime", SimpleNamespace(now=lambda zone: moment + age))
    messages = checks.check_age(None)
    assert [message.id for message in messages] == (["wagtail_multihost.W001"] if age >= timedelta(days=30) else [])
    assert all("2026-03-01" in message.msg for message in messages)


@pytest.mark.parametrize(
    "by",
    [
        None,
        SimpleNamespace(site=None, opened=SimpleNamespace(written_at=pytest.fail)),
        SimpleNamespace(site=SimpleNamespace(id="aurora"), opened=None),
        SimpleNamespace(site=SimpleNamespace(id="aurora"), opened=SimpleNamespace(written_at=lambda site: None)),
    ],
    ids=["unapplied", "of no site", "unopened", "no snapshot"],
)
def test_age_is_asked_of_the_snapshot_of_a_site(monkeypatch: pytest.MonkeyPatch, by: object) -> None:
    """Without apply, a site, a registry or a snapshot there is no age."""
    monkeypatch.setattr(running, "_current", by)
    assert checks.check_age(None) == []


def test_exposure_is_not_asked_without_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that nothing was applied to are those of no site."""
    monkeypatch.setattr(running, "_current", None)
    assert checks.check_exposure(None) == []


def test_age_of_a_snapshot_is_known_to_its_registry(tmp_path: Path) -> None:
    """The time in the file is the age; a registry in one file has none."""
    of_file(tmp_path, "")
    source = open_registry(tmp_path / "sites.toml", {})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    snap(source, tmp_path / "run", now=moment)
    registry = open_registry(tmp_path / "run", {})
    assert registry.written_at("aurora") is None
    registry.site("aurora")
    assert (registry.written_at("aurora"), source.written_at("aurora")) == (moment, None)


def test_report_of_an_exposure_ends_with_what_to_do(tmp_path: Path) -> None:
    """The last sentence of the report, apart from the one before it, says how the process is set up instead."""
    with pytest.raises(ConfigurationError) as caught:
        refuse_exposed(of_file(tmp_path, 'environment = "production"'))
    assert ". Serve it from a snapshot (" in caught.value.problems[-1].message
