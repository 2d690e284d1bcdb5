"""What the units and folders of the platform as a whole say, for each side of what decides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import BUCKET, make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

SNAPSHOT = {"multihost-snapshot.service", "multihost-snapshot.timer"}


def make(runner: str, *sites: object, **options: object) -> Plan:
    """Return a plan for a runner; registry, source, directory and codebase are the plan's, the rest the platform's."""
    own = {key: options.pop(key) for key in ("registry", "source", "directory", "codebase") if key in options}
    values = {"systemd": SystemdOptions(publish=0), **options}
    return make_plan(*(sites or (make_site("aurora"),)), platform=make_platform(runner=runner, **values), **own)  # type: ignore[arg-type]


def lines(plan: Plan, name: str) -> list[str]:
    return texts("systemd", plan)[f"systemd/{name}"].splitlines()


def wanted(plan: Plan) -> list[str]:
    """Return the units that the target starts."""
    return [line.partition("=")[2] for line in lines(plan, "multihost.target") if line.startswith("Wants=")]


@pytest.mark.parametrize("runner", ["gunicorn", "uwsgi"])
@pytest.mark.parametrize(("snapshots", "source"), [(None, ""), (None, "/x"), ("/run/s", ""), ("/run/s", "/x")])
def test_snapshots_are_renewed_where_both_ends_are_known(runner: str, snapshots: str | None, source: str) -> None:
    """It takes a folder for them and the registry that they are made of."""
    plan = make(runner, snapshots=Path(snapshots) if snapshots else None, source=source)
    units = SNAPSHOT if snapshots and source else set()
    assert {Path(path).name for path in texts("systemd", plan)} & SNAPSHOT == units
    assert set(wanted(plan)) & SNAPSHOT == units


@pytest.mark.parametrize(
    ("runner", "on_demand", "publish", "units"),
    [
        ("gunicorn", True, 0, ["multihost@aurora.socket"]),
        ("gunicorn", False, 0, ["multihost@aurora.socket", "multihost@aurora.service"]),
        ("gunicorn", True, 5, ["multihost@aurora.socket", "multihost-publish@aurora.timer"]),
        ("uwsgi", False, 0, ["multihost-emperor.service"]),
        ("uwsgi", True, 5, ["multihost-emperor.service", "multihost-publish@aurora.timer"]),
    ],
)
def test_target_starts_the_runner_and_what_sites_need(
    runner: str, on_demand: bool, publish: int, units: list[str]
) -> None:
    """Sites of gunicorn have sockets, those of uWSGI one emperor; pages are published where somebody says when."""
    site = make_site("aurora", systemd=(("on_demand", on_demand), ("publish", publish)))
    assert wanted(make(runner, site)) == units


@pytest.mark.parametrize(
    ("runner", "user", "expected"),
    [("uwsgi", "", "hosting"), ("uwsgi", "site-{site}", "root"), ("uwsgi", "one", "root"), ("gunicorn", "", "root")],
)
def test_sockets_are_made_by_who_starts_them(runner: str, user: str, expected: str) -> None:
    """The emperor that runs as the one account of all sites makes them; in any other case root does."""
    options = SystemdOptions(user="hosting", publish=0)
    plan = make(runner, user=user, systemd=options, nginx=NginxOptions(user="front"))
    assert f"d /run/multihost 0750 {expected} front -" in lines(plan, "tmpfiles.d/multihost.conf")


@pytest.mark.parametrize(("user", "expected"), [("", "hosting"), ("site-{site}", "site-aurora")])
def test_folder_of_a_site_is_its_accounts_and_the_front_servers(user: str, expected: str) -> None:
    """Without a group for uploads the front server's group reads what the modes let it."""
    plan = make("gunicorn", user=user, systemd=SystemdOptions(user="hosting"), nginx=NginxOptions(user="front"))
    assert lines(plan, "tmpfiles.d/multihost.conf")[-1] == f"d /srv/aviary/data/sites/aurora 2750 {expected} front -"


@pytest.mark.parametrize("runner", ["gunicorn", "uwsgi"])
@pytest.mark.parametrize("home", ["/home/x", "/root/x", "/run/user/x", "/srv/x"])
@pytest.mark.parametrize("key", ["directory", "data", "registry", "code", "virtualenv", "pythonpath"])
def test_homes_are_hidden_where_nothing_of_the_platform_is_there(runner: str, home: str, key: str) -> None:
    """Each folder that all sites need keeps homes in sight, for reading, where it lies in one."""
    path = Path(home)
    if key in ("code", "virtualenv", "pythonpath"):
        name = "directory" if key == "code" else key
        plan = make(runner, codebase=make_codebase(**{name: (home,) if key == "pythonpath" else path}))
    elif key == "data":
        plan = make(runner, make_site("aurora", data=path), data=path)
    else:
        plan = make(runner, **{key: home if key == "registry" else path})
    unit = "multihost@.service" if runner == "gunicorn" else "multihost-emperor.service"
    assert f"ProtectHome={'yes' if home == '/srv/x' else 'read-only'}" in lines(plan, unit)


def test_registry_that_is_no_file_needs_no_home() -> None:
    """Variables as a registry lie nowhere."""
    assert "ProtectHome=yes" in lines(make("gunicorn", registry="home/x"), "multihost@.service")


def test_emperor_writes_where_any_site_does() -> None:
    """The folders of all sites, of their sockets, and of databases and uploads elsewhere, each once."""
    sites = [
        make_site("aurora", storage=StorageSpec(backend="files", path=Path("/srv/up loads"))),
        make_site("borealis", database=DatabaseSpec(engine="sqlite", path=Path("/srv/db/b.sqlite3"))),
        make_site("corona", storage=BUCKET, database=DatabaseSpec(engine="sqlite", path=Path("/srv/db/c.sqlite3"))),
    ]
    found = [line for line in lines(make("uwsgi", *sites), "multihost-emperor.service") if "ReadWritePaths" in line]
    assert " ".join(found) == (
        "ReadWritePaths=-/srv/aviary/data ReadWritePaths=-/run/multihost "
        'ReadWritePaths=-"/srv/up loads" ReadWritePaths=-/srv/db'
    )


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("/etc/multihost/sites.toml", "ReadWritePaths=/run/s"),
        ("postgresql:///control?passfile=/a%20b", "ReadWritePaths=/run/s /srv/aviary/data"),
    ],
)
def test_snapshots_of_a_database_are_written_with_its_copy(source: str, written: str) -> None:
    """What the database said last is in the data folder; a file needs no copy."""
    found = lines(make("gunicorn", snapshots=Path("/run/s"), source=source), "multihost-snapshot.service")
    assert [line for line in found if line.startswith("ReadWritePaths")] == [written]
    assert any(f"MULTIHOST_REGISTRY={source}".replace("%", "%%") in line for line in found)


@pytest.mark.parametrize(("harakiri", "seconds"), [(10, 15), (60, 65)])
def test_emperor_may_stop_a_little_longer_than_a_request_takes(harakiri: int, seconds: int) -> None:
    """Its sites end what they do first."""
    plan = make("uwsgi", uwsgi=UwsgiOptions(harakiri=harakiri))
    found = lines(plan, "multihost-emperor.service")
    assert f"TimeoutStopSec={seconds}" in found and "LimitNOFILE=1024" in found
