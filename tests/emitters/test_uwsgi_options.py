"""What options of a platform and of a site become in uWSGI's files, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan, Stage, emit, emitters
from wagtail_multihost.emitters.uwsgi.check import option_names
from wagtail_multihost.emitters.uwsgi.vassals import round_to_megabytes
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

ACCOUNTS = make_platform(user="site-{site}", uwsgi=UwsgiOptions(build="debian"))


def vassal(site: SiteSpec, platform: PlatformSpec | None = None) -> list[str]:
    """Return the lines of the vassal of ``site``."""
    emitted = texts("uwsgi", make_plan(site, platform=platform or make_platform()))
    return next(text for path, text in emitted.items() if path.endswith("/aurora.ini")).splitlines()


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("processes", 7, "processes = 7"),
        ("threads", 3, "threads = 3"),
        ("harakiri", 17, "harakiri = 19"),
        ("harakiri", 17, "worker-reload-mercy = 19"),
        ("max_requests", 99, "max-requests = 99"),
        ("max_requests_delta", 9, "max-requests-delta = 9"),
        ("cheaper", 1, "cheaper = 1"),
        ("memory", "1g", "limit-as = 1024"),
        ("rss", "300m", "reload-on-rss = 300"),
        ("backlog", 12, "listen = 12"),
    ],
)
def test_a_site_states_options_of_its_own(option: str, value: object, line: str) -> None:
    """What a site states is in its vassal, and not in its neighbour's."""
    emitted = texts("uwsgi", make_plan(make_site("aurora", uwsgi=((option, value),)), make_site("borealis")))
    assert line in emitted["uwsgi/aurora.ini"].splitlines()
    assert line not in emitted["uwsgi/borealis.ini"].splitlines()


@pytest.mark.parametrize(
    ("size", "expected"), [("", 0), ("1", 1), ("1k", 1), ("1024k", 1), ("1025k", 2), ("300m", 300), ("2g", 2048)]
)
def test_sizes_are_megabytes_for_uwsgi(size: str, expected: int) -> None:
    """A size becomes the megabytes that it fits in."""
    assert round_to_megabytes(size) == expected


def test_delta_of_requests_is_refused_for_debian() -> None:
    """Debian's build does not know the option: under strict no site would start."""
    with pytest.raises(ConfigurationError, match="Debian's uWSGI does not have it"):
        UwsgiOptions(build="debian", max_requests_delta=1)


CHANGES: list[tuple[str, Callable[[Plan], Plan]]] = [
    (
        "a neighbour's options",
        lambda plan: replace(
            plan, sites=(plan.sites[0], replace(plan.sites[1], options=(("uwsgi", (("processes", 9),)),)))
        ),
    ),
    (
        "a neighbour's hostnames",
        lambda plan: replace(plan, sites=(plan.sites[0], replace(plan.sites[1], hostnames=("new.example.org",)))),
    ),
    (
        "a neighbour on demand",
        lambda plan: replace(
            plan, sites=(plan.sites[0], replace(plan.sites[1], options=(("uwsgi", (("on_demand", True),)),)))
        ),
    ),
    (
        "a neighbour's code",
        lambda plan: replace(plan, sites=(plan.sites[0], replace(plan.sites[1], code=(("wsgi", "x:y"),)))),
    ),
    (
        "a neighbour's state",
        lambda plan: replace(plan, sites=(plan.sites[0], replace(plan.sites[1], state="maintenance"))),
    ),
    ("one site more", lambda plan: replace(plan, sites=(*plan.sites, make_site("corona")))),
    ("one site less", lambda plan: replace(plan, sites=plan.sites[:1])),
    ("its own hostnames", lambda plan: replace(plan, sites=(replace(plan.sites[0], aliases=("a.example.net",)),))),
    (
        "nginx",
        lambda plan: replace(
            plan, platform=plan.platform.with_options(NginxOptions(body_size="1g", http=("8080",), timeout=9))
        ),
    ),
]


@pytest.mark.parametrize("platform", [make_platform(), ACCOUNTS], ids=["one account", "accounts"])
@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_no_vassal_changes_by_what_does_not_concern_it(change: Callable[[Plan], Plan], platform: PlatformSpec) -> None:
    """The emperor restarts a vassal whose file changes, so a file has nothing in it that is not the site's."""
    plan = make_plan(make_site("aurora"), make_site("borealis"), platform=platform)
    assert texts("uwsgi", change(plan))["uwsgi/aurora.ini"] == texts("uwsgi", plan)["uwsgi/aurora.ini"]


def test_a_site_on_demand_leaves_its_socket_to_the_emperor() -> None:
    """A vassal on demand binds nothing, removes nothing, and ends when it is idle."""
    lines = vassal(make_site("aurora", uwsgi=(("on_demand", True), ("idle", 30))))
    assert "; on demand: /run/multihost/aurora.sock" in lines
    assert {"idle = 30", "die-on-idle = true"} <= set(lines)
    assert not [line for line in lines if line.startswith(("socket", "chmod-socket", "chown-socket", "vacuum"))]


def test_a_site_that_changes_to_on_demand_is_another_vassal() -> None:
    """The emperor asks for a vassal's socket only when it finds its file: the same file would be deaf."""
    site = make_site("aurora")
    always = set(texts("uwsgi", make_plan(site)))
    on_demand = set(texts("uwsgi", make_plan(replace(site, options=(("uwsgi", (("on_demand", True),)),)))))
    assert always ^ on_demand == {"uwsgi/aurora.ini", "uwsgi-on-demand/aurora.ini"}


def test_an_emperor_looks_for_sites_on_demand_where_there_are_some() -> None:
    """Without such sites no shell is started for each vassal."""
    site = make_site("aurora")
    plain = texts("uwsgi", make_plan(site))["uwsgi-emperor/emperor.ini"]
    own = replace(site, options=(("uwsgi", (("on_demand", True),)),))
    mixed = texts("uwsgi", make_plan(own, make_site("borealis")))["uwsgi-emperor/emperor.ini"]
    assert "on-demand" not in plain
    assert "emperor = /etc/multihost/uwsgi/*.ini\nemperor = /etc/multihost/uwsgi-on-demand/*.ini\n" in mixed


@pytest.mark.parametrize("character", ['"', "$", "`", "\\"])
def test_folders_that_a_shell_would_read_are_refused_with_sites_on_demand(character: str) -> None:
    """uWSGI puts a vassal's path between double quotes in a command of root's shell."""
    folder = Path(f"/etc/{character}(id){character}")
    platform = make_platform(uwsgi=UwsgiOptions(on_demand=True))
    with pytest.raises(RenderError):
        texts("uwsgi", make_plan(make_site("aurora"), directory=folder, platform=platform))


def test_a_site_with_an_account_gives_up_root_and_all_groups_but_its_own() -> None:
    """The vassal names user and group, takes no other group, and its socket is root's and the front server's."""
    lines = vassal(make_site("aurora"), platform=ACCOUNTS)
    expected = ["uid = site-aurora", "gid = site-aurora", "no-initgroups = true", "chown-socket = root:www-data"]
    assert [line for line in lines if line in expected] == expected
    assert not [line for line in lines if line.startswith(("drop-after", "master-as-root", "hook-as-root"))]


def test_an_ini_of_a_site_with_an_account_is_read_by_its_group_alone() -> None:
    """It belongs to root, so that a site cannot lift its own limits, and neighbours cannot read it."""
    files = {file.path.name: file for file in emit("uwsgi", make_plan(make_site("aurora"), platform=ACCOUNTS))}
    assert (files["aurora.ini"].mode, files["aurora.ini"].group) == (0o640, "site-aurora")


def test_the_group_that_all_snapshots_share_is_no_sites_own() -> None:
    """A group without ``{site}`` would let every site read what the others write for theirs."""
    shared = vassal(make_site("aurora"), platform=replace(ACCOUNTS, group="sites"))
    own = vassal(make_site("aurora"), platform=replace(ACCOUNTS, group="g-{site}"))
    assert "gid = site-aurora" in shared and "gid = g-aurora" in own


@pytest.mark.parametrize(("key", "site"), [("user", "root"), ("group", "root")])
def test_no_site_runs_as_root(key: str, site: str) -> None:
    """A site whose id makes the account's name root is refused."""
    platform = make_platform(**{"user": "u-{site}", key: "{site}"})
    with pytest.raises(RenderError, match="would run as root"):
        texts("uwsgi", make_plan(make_site(site), platform=platform))


def test_a_user_without_the_site_in_it_is_the_emperors() -> None:
    """One account for all sites is stated where the emperor is started, so its vassals name none."""
    lines = vassal(make_site("aurora"), platform=make_platform(user="aviary"))
    assert not [line for line in lines if line.startswith(("uid", "gid", "chown-socket"))]


def test_no_router_of_root_reads_what_visitors_send() -> None:
    """An emperor that is root serves no HTTP."""
    platform = ACCOUNTS.with_options(UwsgiOptions(build="debian", http="127.0.0.1:8000"))
    with pytest.raises(RenderError, match="router"):
        texts("uwsgi", make_plan(make_site("aurora"), platform=platform))


def test_a_control_group_is_entered_before_root_is_given_up() -> None:
    """The group is the site's own; without accounts, where the emperor cannot do it, it is refused."""
    options = UwsgiOptions(build="debian", cgroup="/sys/fs/cgroup/aviary/{site}")
    lines = vassal(make_site("aurora"), platform=ACCOUNTS.with_options(options))
    assert "hook-as-root = write:/sys/fs/cgroup/aviary/aurora/cgroup.procs 0" in lines
    with pytest.raises(RenderError, match="control group"):
        texts("uwsgi", make_plan(make_site("aurora"), platform=make_platform(uwsgi=options)))


def test_statistics_are_in_the_sites_own_folder() -> None:
    """They show cookies of running requests, so the socket is not where all sites' sockets are."""
    lines = vassal(make_site("aurora"), platform=make_platform(uwsgi=UwsgiOptions(stats=True)))
    assert "stats = /srv/aviary/data/sites/aurora/tmp/uwsgi.stats" in lines


HOSTILE = {
    "exec": "@(exec://id)",
    "file": "@(/etc/shadow)",
    "environment": "$(HOME)",
    "option": "%(chdir)",
    "percent": "100%",
    "line": "a\nuid = root",
    "section": "a\n[uwsgi]",
    "null": "a\x00b",
    "escape": "\N{ESC}[31m",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", ["registry", "directory", "virtualenv", "pythonpath", "storage", "sockets", "data"])
def test_hostile_values_reach_no_ini(field: str, value: str) -> None:
    """Whatever uWSGI would run, expand or read as another line is refused, in every field that is written."""
    with pytest.raises((RenderError, ConfigurationError)):
        texts("uwsgi", hostile_plan(field, f"/srv/{value}"))


@pytest.mark.parametrize("field", ["registry", "directory", "virtualenv", "pythonpath", "storage"])
def test_a_blank_at_the_end_of_a_value_is_refused(field: str) -> None:
    """uWSGI strips it, and would read another path."""
    with pytest.raises((RenderError, ConfigurationError)):
        texts("uwsgi", hostile_plan(field, "/srv/a "))


def hostile_plan(field: str, path: str) -> Plan:
    router = UwsgiOptions(http="127.0.0.1:8000")
    platform = make_platform(uwsgi=router)
    if field == "registry":
        return make_plan(make_site("aurora"), registry=path, platform=platform)
    if field == "storage":
        storage = StorageSpec(backend="files", path=Path(path))
        return make_plan(make_site("aurora", storage=storage), platform=platform)
    if field in ("sockets", "data"):
        return make_plan(make_site("aurora"), platform=make_platform(uwsgi=router, **{field: Path(path)}))
    own = ((field, (path,) if field == "pythonpath" else Path(path)),)
    return make_plan(make_site("aurora", code=own), platform=platform)


def staged(plan: Plan, folder: Path, *changed: str) -> Stage:
    """Return a stage that has the plan's vassals."""
    for path, text in texts("uwsgi", plan).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return Stage(plan=plan, folder=folder, changed=frozenset(map(PurePosixPath, changed)))


def test_validation_reads_changed_vassals_alone_and_loads_no_application(tmp_path: Path) -> None:
    """A changed ini of a vassal is read by the build's own program; the emperor's, which would start, is not."""
    plan = make_plan(make_site("aurora"), platform=ACCOUNTS)
    others = ("uwsgi-emperor/emperor.ini", "uwsgi-emperor/load.py", "uwsgi/gone.ini.tmp")
    stage = staged(plan, tmp_path, "uwsgi/aurora.ini", *others)
    (validation,) = emitters()["uwsgi"].validate(stage)
    options = ("--show-config", "--no-server", "--lazy-apps", "--hook-asap", "exit:0")
    assert validation.command == ("/usr/bin/uwsgi-core", "--ini", f"{tmp_path}/uwsgi/aurora.ini", *options)


def test_validation_reads_one_of_the_vassals_with_the_same_options(tmp_path: Path) -> None:
    """A site with an option more is read too; its neighbours, which differ in values, are not all of them."""
    plain = [make_site(f"site-{number}") for number in range(5)]
    other = make_site("other", uwsgi=(("memory", "1g"),))
    plan = make_plan(*plain, other)
    stage = staged(plan, tmp_path, *(f"uwsgi/{site.id}.ini" for site in plan.sites))
    read = [validation.what for validation in emitters()["uwsgi"].validate(stage)]
    assert read == ["uwsgi/other.ini", "uwsgi/site-0.ini"]


def test_validation_reads_vassals_on_demand_too_and_compares_the_names_of_options(tmp_path: Path) -> None:
    """Comments, which have paths, make no difference, and the order of options and a missing one do."""
    sites = [make_site(name, uwsgi=(("on_demand", True),)) for name in ("a", "b")]
    stage = staged(make_plan(*sites), tmp_path, "uwsgi-on-demand/a.ini", "uwsgi-on-demand/b.ini")
    assert [validation.what for validation in emitters()["uwsgi"].validate(stage)] == ["uwsgi-on-demand/a.ini"]
    assert option_names("# a=b\n; c\n[uwsgi]\nx = 1\ny=2=3\n") == ("[uwsgi]", "x ", "y")


def test_validation_as_root_starts_no_python_of_a_site_as_root(tmp_path: Path) -> None:
    """A file that names no account is read with one that is nobody's."""
    plan = make_plan(make_site("aurora"), codebase=make_codebase())
    (validation,) = emitters()["uwsgi"].validate(staged(plan, tmp_path, "uwsgi/aurora.ini"))
    assert validation.command[0] == "/srv/aviary/venv/bin/uwsgi"
    assert validation.command[-4:] == ("--uid", "65534", "--gid", "65534")
