"""What a site states of its own, one thing at a time, and the lines of its drop-ins that it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import DATA, make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan, emitters
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions

GUNICORN = {"runner": "gunicorn", "user": "site-{site}", "snapshots": Path("/run/snapshots")}
SERVICE, SOCKET = "multihost@aurora.service", "multihost@aurora.socket"
PUBLISH, TIMER = "multihost-publish@aurora.service", "multihost-publish@aurora.timer"
OPTIONS = {"memory": "1g", "egress": ("10.0.0.0/8",), "publish": 30}
POSTGRES = DatabaseSpec(engine="postgresql", name="aurora", user="aurora", host="db.example", password=Secret("x"))
CONFIG = "/etc/multihost/systemd/gunicorn.conf.py"


def drop_ins(plan: Plan) -> dict[str, list[str]]:
    """Return the lines of each drop-in, without that of ownership, by its unit."""
    found = {}
    for path, text in texts("systemd", plan).items():
        if path.endswith("/50-site.conf"):
            found[Path(path).parent.name.removesuffix(".d")] = text.splitlines()[1:]
    return found


def make(platform: dict[str, object] | None = None, **options: object) -> Plan:
    """Return a plan for a site with ``options``, on a platform that limits memory and egress and publishes."""
    values = {**GUNICORN, "systemd": SystemdOptions(**OPTIONS), **(platform or {})}  # type: ignore[arg-type]
    codebase = make_codebase(pythonpath=("/srv/aviary/lib",))
    return make_plan(make_site("aurora", **options), platform=make_platform(**values), codebase=codebase)


@pytest.mark.parametrize(
    ("option", "value", "lines"),
    [
        ("workers", 3, ["Environment=GUNICORN_CMD_ARGS=--workers=3"]),
        ("threads", 9, ["Environment=GUNICORN_CMD_ARGS=--threads=9"]),
        (
            "timeout",
            90,
            ['Environment="GUNICORN_CMD_ARGS=--timeout=91 --graceful-timeout=90"', "TimeoutStopSec=95"],
        ),
        ("max_requests", 77, ['Environment="GUNICORN_CMD_ARGS=--max-requests=77 --max-requests-jitter=7"']),
        ("cpu_weight", 50, ["CPUWeight=50"]),
    ],
)
def test_option_of_serving_is_in_the_service_alone(option: str, value: object, lines: list[str]) -> None:
    """What the site's server is told is of no concern to who publishes its pages."""
    assert drop_ins(make(systemd=((option, value),))) == {SERVICE: ["[Service]", *lines]}


@pytest.mark.parametrize(
    ("option", "value", "lines"),
    [
        ("memory", "300m", ["MemoryMax=300M"]),
        ("memory", "", ["MemoryMax=infinity"]),
        ("tasks", 12, ["TasksMax=12"]),
        (
            "egress",
            ("192.0.2.0/24", "::1/128"),
            [
                *("IPAddressDeny=any", "IPAddressAllow=", "IPAddressAllow=localhost"),
                *("IPAddressAllow=192.0.2.0/24", "IPAddressAllow=::1/128"),
            ],
        ),
        ("egress", (), ["IPAddressDeny=", "IPAddressAllow="]),
    ],
)
def test_limit_is_in_both_units_that_run_the_sites_code(option: str, value: object, lines: list[str]) -> None:
    """A limit holds for whatever runs the site's code."""
    assert drop_ins(make(systemd=((option, value),))) == {unit: ["[Service]", *lines] for unit in (SERVICE, PUBLISH)}


@pytest.mark.parametrize(
    ("option", "value", "lines"),
    [
        ("directory", Path("/srv/own 100%"), ["WorkingDirectory=/srv/own 100%%"]),
        ("settings_module", "own.settings", ["Environment=DJANGO_SETTINGS_MODULE=own.settings"]),
        ("pythonpath", ("/srv/a", "/srv/b"), ["Environment=PYTHONPATH=/srv/a:/srv/b"]),
        ("pythonpath", (), ["Environment=PYTHONPATH="]),
    ],
)
def test_place_of_own_code_is_in_both_units(option: str, value: object, lines: list[str]) -> None:
    """The server and who publishes run the same code, with the same variables."""
    assert drop_ins(make(code=((option, value),))) == {unit: ["[Service]", *lines] for unit in (SERVICE, PUBLISH)}


def test_own_application_is_served_by_the_platforms_program() -> None:
    """A site with another application alone keeps the virtual environment, and publishes as all do."""
    start = f"ExecStart=/srv/aviary/venv/bin/gunicorn --config {CONFIG} own.wsgi:application"
    assert drop_ins(make(code=(("wsgi", "own.wsgi:application"),))) == {SERVICE: ["[Service]", "ExecStart=", start]}


def test_own_virtual_environment_runs_both_units() -> None:
    """Its programs take the place of the platform's."""
    serve = f"ExecStart=/srv/own/bin/gunicorn --config {CONFIG} website.wsgi:application"
    publish = "ExecStart=/srv/own/bin/python3 -m django publish_scheduled"
    assert drop_ins(make(code=(("virtualenv", Path("/srv/own")),))) == {
        SERVICE: ["[Service]", "ExecStart=", serve],
        PUBLISH: ["[Service]", "ExecStart=", publish],
    }


@pytest.mark.parametrize(
    ("minutes", "lines"),
    [
        (60, ["OnCalendar=", "OnCalendar=hourly", "RandomizedDelaySec=60min"]),
        (10, ["OnCalendar=", "OnCalendar=*:0/10", "RandomizedDelaySec=10min"]),
    ],
)
def test_own_schedule_is_in_the_timer(minutes: int, lines: list[str]) -> None:
    """A site that is published at other times has a timer of its own."""
    assert drop_ins(make(systemd=(("publish", minutes),))) == {TIMER: ["[Timer]", *lines]}


def test_schedule_of_a_site_that_is_published_alone_is_stated() -> None:
    """The shared timer of a platform that publishes nothing runs each hour, and the site's says its own."""
    plan = make({"systemd": SystemdOptions(publish=0)}, systemd=(("publish", 20),))
    assert drop_ins(plan) == {TIMER: ["[Timer]", "OnCalendar=", "OnCalendar=*:0/20", "RandomizedDelaySec=20min"]}
    shared = texts("systemd", plan)["systemd/multihost-publish@.timer"].splitlines()
    assert "OnCalendar=hourly" in shared and "RandomizedDelaySec=60min" in shared


def test_own_socket_takes_the_place_of_the_usual_one() -> None:
    """A pinned name is where the site listens, and the usual one is not listened at."""
    lines = ["[Socket]", "ListenStream=", "ListenStream=/run/multihost/own-2.sock"]
    assert drop_ins(make(socket="own-2.sock")) == {SOCKET: lines}


@pytest.mark.parametrize(
    ("options", "folders"),
    [
        ({"storage": StorageSpec(backend="files", path=Path("/srv/up loads"))}, ['"-/srv/up loads"']),
        ({"storage": StorageSpec(backend="files", path=DATA / "sites/aurora")}, []),
        ({"storage": StorageSpec(backend="files", path=DATA / "sites/borealis")}, [f"-{DATA}/sites/borealis"]),
        ({"database": DatabaseSpec(engine="sqlite", path=Path("/srv/db/a.sqlite3"))}, ["-/srv/db"]),
        ({"database": POSTGRES}, []),
        (
            {
                "database": DatabaseSpec(engine="sqlite", path=Path("/srv/own/a.sqlite3")),
                "storage": StorageSpec(backend="files", path=Path("/srv/own")),
            },
            ["-/srv/own"],
        ),
    ],
)
def test_folders_elsewhere_are_bound_once(options: dict[str, object], folders: list[str]) -> None:
    """What a site writes to out of its own folder is let in, and nothing that it has anyway."""
    lines = ["[Service]", *(f"BindPaths={folder}".replace('"-/', '-"/') for folder in folders)]
    expected = {unit: lines for unit in (SERVICE, PUBLISH) if folders}
    assert drop_ins(make(**options)) == expected


@pytest.mark.parametrize(
    ("folder", "is_open"),
    [("/home/own", True), ("/root/own", True), ("/run/user/1/own", True), ("/homes/own", False), ("/run/own", False)],
)
@pytest.mark.parametrize("key", ["directory", "virtualenv", "pythonpath", "storage"])
def test_homes_stay_in_sight_of_who_needs_one(key: str, folder: str, is_open: bool) -> None:
    """A site whose code or files lie in a home sees homes; its neighbours do not."""
    path = Path(folder)
    if key == "storage":
        plan = make(storage=StorageSpec(backend="files", path=path))
    else:
        plan = make(code=((key, (folder,) if key == "pythonpath" else path),))
    for unit in (SERVICE, PUBLISH):
        assert ("ProtectHome=read-only" in drop_ins(plan).get(unit, [])) is is_open
    assert "ProtectHome=yes" in texts("systemd", plan)["systemd/multihost@.service"].splitlines()


def test_site_that_states_what_holds_anyway_has_no_drop_in() -> None:
    """What is as the platform has it, or is no setting of a unit, is in the shared units alone."""
    stated = {**OPTIONS, "workers": 2, "threads": 1, "timeout": 60, "max_requests": 5000, "tasks": 256}
    code = (("directory", Path("/srv/aviary/code")), ("pythonpath", ("/srv/aviary/lib",)))
    assert drop_ins(make(systemd=(*stated.items(), ("on_demand", False)), code=code)) == {}


def test_site_of_an_emperor_has_drop_ins_of_publishing_alone() -> None:
    """uWSGI serves it; what publishes its pages has the place of its code."""
    plan = make({"runner": "uwsgi"}, socket="own-2.sock", systemd=(("workers", 9), ("tasks", 9), ("publish", 15)))
    assert drop_ins(plan) == {
        PUBLISH: ["[Service]", "TasksMax=9"],
        TIMER: ["[Timer]", "OnCalendar=", "OnCalendar=*:0/15", "RandomizedDelaySec=15min"],
    }
    assert drop_ins(make({"runner": "uwsgi"}, systemd=(("tasks", 9), ("publish", 0)))) == {}


def test_paths_of_a_site_are_those_of_all_its_drop_ins() -> None:
    """Where a site is chosen, what it states no more is looked for in each of its units, and in no neighbour's."""
    stated = (("workers", 3), ("publish", 10), ("tasks", 12))
    plan = make(socket="own-2.sock", systemd=stated)
    emitted = {path for path in texts("systemd", plan) if path.endswith("/50-site.conf")}
    found = {str(path) for path in emitters()["systemd"].paths_of("aurora")}
    assert found == emitted == {f"systemd/{unit}.d/50-site.conf" for unit in (SERVICE, SOCKET, PUBLISH, TIMER)}
