"""What the emitted units say, and what keeps the sites apart in them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import BUCKET, make_codebase, make_plan, make_platform, make_site, texts
from tests.emitters.units import command, environment, last, read_unit, values, words
from wagtail_multihost.emitters import Plan, Stage, Validation, emit, emitters
from wagtail_multihost.emitters.output import State, stale
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

GUNICORN = {"runner": "gunicorn", "user": "site-{site}", "group": "site-{site}", "snapshots": Path("/run/snapshots")}
OWN = make_site(
    "own",
    socket="own-2.sock",
    storage=StorageSpec(backend="files", path=Path("/home/own/media files")),
    code=(
        ("directory", Path("/home/own/code")),
        ("virtualenv", Path("/home/own/venv")),
        ("wsgi", "own.wsgi:application"),
        ("settings_module", "own.settings"),
        ("pythonpath", ("/home/own/plugins", "/home/own/100% $HOME")),
    ),
    systemd=(
        ("workers", 4),
        ("threads", 2),
        ("timeout", 120),
        ("max_requests", 1000),
        ("on_demand", False),
        ("memory", ""),
        ("cpu_weight", 200),
        ("tasks", 512),
        ("publish", 10),
        ("egress", ()),
    ),
)
CASES = {
    "gunicorn": make_plan(
        make_site("aurora"),
        make_site("borealis", systemd=(("on_demand", False),)),
        platform=make_platform(**GUNICORN),
        registry="/run/snapshots",
        source="/etc/aviary/sites.toml",
    ),
    "own": make_plan(
        make_site("aurora"),
        OWN,
        platform=make_platform(
            **GUNICORN, systemd=SystemdOptions(memory="1g", egress=("10.0.0.0/8", "2001:db8::1"), publish=0)
        ),
        registry="/run/snapshots",
    ),
    "one-account": make_plan(
        make_site("aurora"),
        platform=make_platform(runner="gunicorn", shares_registry=True, snapshots=Path("/run/multihost/sites")),
        codebase=make_codebase(directory=Path("/home/deploy/a b"), pythonpath=("/home/deploy/lib",)),
    ),
    "emperor": make_plan(make_site("aurora"), make_site("corona", storage=BUCKET)),
    "emperor-accounts": make_plan(
        make_site("aurora"),
        platform=make_platform(
            user="site-{site}", uwsgi=UwsgiOptions(build="debian", harakiri=120, cgroup="/sys/fs/cgroup/aviary/{site}")
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_emitted_units_are_those_reviewed(case: str, matches_golden: Callable[[str, str, Plan], None]) -> None:
    """The files of a plan are, byte for byte, those that were reviewed."""
    matches_golden("systemd", case, CASES[case])


@pytest.mark.parametrize("case", CASES)
def test_emitted_units_carry_ownership_and_lie_where_stale_ones_are_looked_for(case: str) -> None:
    """Every file starts with the ownership line, and its folder is one that the target names."""
    for path, text in texts("systemd", CASES[case]).items():
        assert text.startswith(f"{OWNERSHIP_LINE}\n") and text.endswith("\n")
        folder = str(PurePosixPath(path).parent)
        assert any(fnmatchcase(folder, pattern) for pattern in emitters()["systemd"].folders)


def service(plan: Plan, site: str, unit: str = "multihost") -> dict[str, list[tuple[str, str]]]:
    """Return a site's unit, its drop-in on top, as systemd reads them."""
    emitted = texts("systemd", plan)
    return read_unit(
        emitted[f"systemd/{unit}@.service"], emitted.get(f"systemd/{unit}@{site}.service.d/50-site.conf", "")
    )


@pytest.mark.parametrize("unit", ["multihost", "multihost-publish"])
def test_site_sees_no_other_sites_folder(unit: str) -> None:
    """A site's folder is bound into an empty one; all else is at most readable, the folder of sockets not even that."""
    found = service(CASES["gunicorn"], "aurora", unit)
    assert last(found, "Service", "ProtectSystem") == "strict"
    assert "/srv/aviary/data/sites:ro,mode=0711" in values(found, "Service", "TemporaryFileSystem")
    assert [words(value, "aurora") for value in values(found, "Service", "BindPaths")] == [
        ["-/srv/aviary/data/sites/aurora"]
    ]
    assert values(found, "Service", "ReadWritePaths") == []
    assert "-/run/multihost" in values(found, "Service", "InaccessiblePaths")


@pytest.mark.parametrize("unit", ["multihost", "multihost-publish"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("User", "site-%i"),
        ("Group", "site-%i"),
        ("UMask", "0077"),
        ("NoNewPrivileges", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("PrivateIPC", "yes"),
        ("ProtectHome", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
        ("RestrictNamespaces", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("LockPersonality", "yes"),
        ("LimitCORE", "0"),
    ],
)
def test_every_process_of_a_site_is_hardened(unit: str, setting: str, value: str) -> None:
    """Both units that run a site's code have its account and each restriction, and no right of root's."""
    text = texts("systemd", CASES["gunicorn"])[f"systemd/{unit}@.service"]
    assert last(read_unit(text), "Service", setting) == value
    assert "\nCapabilityBoundingSet=\n" in text and "AmbientCapabilities" not in text
    assert values(read_unit(text), "Service", "SystemCallFilter") == ["@system-service", "~@privileged @resources"]


def test_no_site_runs_as_root() -> None:
    """Where the platform names no account, the units name the one of the options."""
    for unit in ("multihost@", "multihost-publish@"):
        text = texts("systemd", CASES["one-account"])[f"systemd/{unit}.service"]
        assert last(read_unit(text), "Service", "User") == "multihost"
    assert last(read_unit(texts("systemd", CASES["emperor"])["systemd/multihost-emperor.service"]), "Service", "User")


def test_no_site_listens_on_a_port() -> None:
    """No unit that runs sites lets them listen there, but for an emperor whose own router does."""
    router = make_plan(make_site("aurora"), platform=make_platform(uwsgi=UwsgiOptions(http="127.0.0.1:8000")))
    for case in ("gunicorn", "emperor", "emperor-accounts"):
        found = texts("systemd", CASES[case])
        for path in (name for name in found if name.endswith(".service") and "snapshot" not in name):
            assert last(read_unit(found[path]), "Service", "SocketBindDeny") == "any", path
    assert "SocketBindDeny" not in texts("systemd", router)["systemd/multihost-emperor.service"]


def test_no_site_fills_the_machines_shared_memory() -> None:
    """Each unit that runs sites has a small /dev/shm of its own: PostgreSQL works in the machine's."""
    for case in ("gunicorn", "emperor", "emperor-accounts"):
        found = texts("systemd", CASES[case])
        for path in (name for name in found if name.endswith(".service") and "snapshot" not in name):
            stated = values(read_unit(found[path]), "Service", "TemporaryFileSystem")
            assert "/dev/shm:mode=1777,size=32M" in stated, path


def test_socket_is_open_to_the_front_servers_group_alone() -> None:
    """The site is given its open socket, and neither it nor a neighbour can connect to any."""
    socket = read_unit(texts("systemd", CASES["gunicorn"])["systemd/multihost@.socket"])
    stated = {key: last(socket, "Socket", key) for key in ("SocketUser", "SocketGroup", "SocketMode", "DirectoryMode")}
    assert stated == {
        "SocketUser": "root",
        "SocketGroup": "www-data",
        "SocketMode": "0660",
        "DirectoryMode": "0750",
    }


def test_folder_of_sockets_lets_sites_through_to_their_snapshots_only() -> None:
    """Where snapshots lie among the sockets, a site sees the snapshots in an otherwise empty folder."""
    found = service(CASES["one-account"], "aurora")
    assert "/run/multihost:ro,mode=0711" in values(found, "Service", "TemporaryFileSystem")
    assert values(found, "Service", "BindReadOnlyPaths") == ["-/run/multihost/sites"]
    assert "-/run/multihost" not in values(found, "Service", "InaccessiblePaths")


def test_egress_is_this_machine_and_what_is_listed() -> None:
    """With egress a site reaches this machine and the listed networks; a site without one of its own reaches all."""
    limited = service(CASES["own"], "aurora")
    assert values(limited, "Service", "IPAddressDeny") == ["any"]
    assert values(limited, "Service", "IPAddressAllow") == ["localhost", "10.0.0.0/8", "2001:db8::1"]
    free = service(CASES["own"], "own")
    assert values(free, "Service", "IPAddressDeny") == values(free, "Service", "IPAddressAllow") == []


def test_networks_are_written_without_quotes() -> None:
    """systemd takes quotes for a part of an address here, and ignores one that is none: ``::/0`` too stands bare."""
    options = SystemdOptions(egress=("::/0", "::1"))
    found = service(make_plan(make_site("aurora"), platform=make_platform(**GUNICORN, systemd=options)), "aurora")
    assert values(found, "Service", "IPAddressAllow") == ["localhost", "::/0", "::1"]


def test_site_can_be_limited_where_the_platform_is_not() -> None:
    """A site's own egress and memory are its unit's, and nobody else's."""
    site = make_site("aurora", systemd=(("egress", ("192.0.2.0/24",)), ("memory", "300m")))
    found = service(make_plan(site, platform=make_platform(**GUNICORN)), "aurora")
    assert values(found, "Service", "IPAddressAllow") == ["localhost", "192.0.2.0/24"]
    assert values(found, "Service", "IPAddressDeny") == ["any"]
    assert last(found, "Service", "MemoryMax") == "300M"


def test_own_code_and_folders_take_the_place_of_the_platforms() -> None:
    """A site's own code, program, variables and folders are read back from its drop-in."""
    found = service(CASES["own"], "own")
    (start,) = values(found, "Service", "ExecStart")
    assert command(start) == [
        "/home/own/venv/bin/gunicorn",
        "--config",
        "/etc/multihost/systemd/gunicorn.conf.py",
        "own.wsgi:application",
    ]
    assert last(found, "Service", "WorkingDirectory") == "/home/own/code"
    assert environment(found, "own") == {
        "MULTIHOST_SITE": "own",
        "MULTIHOST_REGISTRY": "/run/snapshots",
        "DJANGO_SETTINGS_MODULE": "own.settings",
        "TMPDIR": "/srv/aviary/data/sites/own/tmp",
        "PYTHONPATH": "/home/own/plugins:/home/own/100% $HOME",
        "GUNICORN_CMD_ARGS": "--workers=4 --threads=2 --timeout=121 --graceful-timeout=120 --max-requests=1000 "
        "--max-requests-jitter=100",
    }
    assert ["-/home/own/media files"] in [words(value, "own") for value in values(found, "Service", "BindPaths")]
    assert last(found, "Service", "ProtectHome") == "read-only"


def test_site_without_anything_of_its_own_has_no_drop_in() -> None:
    """A change of one site touches the files of that site, and a plain site has none."""
    owned = {file.site: str(file.path) for file in emit("systemd", CASES["own"]) if file.site}
    assert set(owned) == {"own"} and "/multihost-publish@own." in owned["own"]


def test_database_outside_of_the_sites_folder_can_be_written() -> None:
    """SQLite writes beside its file, so the folder around it is bound."""
    site = make_site("aurora", database=DatabaseSpec(engine="sqlite", path=Path("/srv/old/aurora.sqlite3")))
    found = service(make_plan(site, platform=make_platform(**GUNICORN)), "aurora")
    assert "-/srv/old" in values(found, "Service", "BindPaths")


def test_target_starts_what_shall_run() -> None:
    """Each site has its socket, a site that is not on demand its service, and disabled ones are in no plan."""
    units = values(read_unit(texts("systemd", CASES["gunicorn"])["systemd/multihost.target"]), "Unit", "Wants")
    assert {"multihost@aurora.socket", "multihost@borealis.socket", "multihost@borealis.service"} <= set(units)
    assert "multihost@aurora.service" not in units


@pytest.mark.parametrize(
    ("node", "nodes", "published"),
    [("", (), True), ("app-1", (), True), ("app-2", (), False), ("app-2", ("app-2", "app-1"), True)],
)
def test_pages_are_published_by_one_node(node: str, nodes: tuple[str, ...], published: bool) -> None:
    """Of the nodes that serve a site, the first has the timer."""
    addresses = (("app-1", "10.0.0.5:8080"), ("app-2", "10.0.0.6:8080"))
    platform = make_platform(**GUNICORN, nodes=addresses if node else ())
    emitted = texts("systemd", make_plan(make_site("aurora", nodes=nodes), platform=platform, node=node))
    assert ("multihost-publish@aurora.timer" in emitted["systemd/multihost.target"]) == published
    assert ("systemd/multihost-publish@.timer" in emitted) == published


def test_program_with_a_dollar_sign_is_refused() -> None:
    """systemd would look for another program than the one that the site has."""
    with pytest.raises(RenderError):
        texts(
            "systemd",
            make_plan(platform=make_platform(**GUNICORN), codebase=make_codebase(virtualenv=Path("/srv/a$b"))),
        )


@pytest.mark.parametrize("key", ["data", "sockets"])
def test_folder_with_a_colon_is_refused(key: str) -> None:
    """What is bound has its parts between colons: a folder with one would be another."""
    folder = Path("/srv/a:b") if key == "data" else Path("/srv/a\\b")
    with pytest.raises(RenderError):
        texts("systemd", make_plan(platform=make_platform(**{**GUNICORN, key: folder})))


def test_folders_give_the_front_server_uploads_alone_where_they_have_a_group() -> None:
    """With a media_group a site's folder is its own group's, and uploads hand theirs down; a bucket needs no folder."""
    site = make_site("aurora", storage=StorageSpec(backend="files", path=Path("/srv/aviary/uploads/aurora")))
    for group, own in (("site-{site}", "site-aurora"), ("", "user-aurora")):
        platform = make_platform(user="user-{site}", group=group, media_group="media-{site}")
        plan = make_plan(site, make_site("corona", storage=BUCKET), platform=platform)
        lines = texts("systemd", plan)["systemd/tmpfiles.d/multihost.conf"].splitlines()
        assert [line for line in lines if "aurora" in line] == [
            f"d /srv/aviary/data/sites/aurora 0750 user-aurora {own} -",
            "d /srv/aviary/uploads/aurora 2750 user-aurora media-aurora -",
        ]
        assert len([line for line in lines if "corona" in line]) == 1


def test_python_path_with_a_colon_is_refused() -> None:
    """It would be two folders."""
    plan = make_plan(platform=make_platform(**GUNICORN), codebase=make_codebase(pythonpath=("/srv/a:b",)))
    with pytest.raises(RenderError):
        texts("systemd", plan)


def test_long_socket_is_refused() -> None:
    """An address that the kernel would not take is refused, with what to do."""
    platform = make_platform(**GUNICORN, sockets=Path("/run", "a" * 93))
    plan = make_plan(make_site("aurora"), platform=platform)
    with pytest.raises(RenderError, match="shorter folder"):
        texts("systemd", plan)


def test_stale_drop_ins_are_found_in_every_sites_folder(tmp_path: Path) -> None:
    """Folders of sites that are gone are looked into, other units' folders are not, and foreign files are left."""
    for folder in ("multihost@gone.service.d", "multihost@kept.service.d", "other@gone.service.d"):
        (tmp_path / "systemd" / folder).mkdir(parents=True)
        (tmp_path / "systemd" / folder / "50-site.conf").write_text(f"{OWNERSHIP_LINE}\n[Service]\n")
    (tmp_path / "systemd/multihost@gone.service.d/10-admin.conf").write_text("[Service]\n")
    kept = PurePosixPath("systemd/multihost@kept.service.d/50-site.conf")
    changes = list(stale(tmp_path, emitters()["systemd"].folders, [kept]))
    assert [(str(change.path), change.state) for change in changes] == [
        ("systemd/multihost@gone.service.d/50-site.conf", State.STALE)
    ]


def staged(plan: Plan, folder: Path, *changed: str) -> Stage:
    """Return a stage that has the plan's files."""
    for path, text in texts("systemd", plan).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return Stage(plan, folder, frozenset(map(PurePosixPath, changed)))


def drop_in(unit: str) -> str:
    return f"systemd/{unit}.d/50-site.conf"


VERIFY = ("systemd-analyze", "verify", "--man=no", "--generators=no", "--recursive-errors=no")


def test_validation_names_every_shared_unit_and_the_changed_sites(tmp_path: Path) -> None:
    """The parser is given each unit of the stage, then an instance for each drop-in that changed and stays."""
    changed = (drop_in("multihost@own.service"), drop_in("multihost@gone.service"), "systemd/multihost@.service")
    verify, parse = emitters()["systemd"].validate(staged(CASES["own"], tmp_path, *changed))
    shared = ("-publish@.service", "-publish@.timer", ".target", "@.service", "@.socket")
    units = [f"{tmp_path}/systemd/multihost{name}" for name in (*shared, "@own.service")]
    assert verify == Validation((*VERIFY, *units), "the units")
    program, isolated, option, script, path = parse.command
    assert (program, isolated, option) == ("/srv/aviary/venv/bin/python3", "-I", "-c")
    assert (path, parse.what) == (f"{tmp_path}/systemd/gunicorn.conf.py", "gunicorn.conf.py")
    ran = subprocess.run([sys.executable, isolated, option, script, path], check=False, capture_output=True)
    Path(path).write_text("a b é")
    broken = subprocess.run([sys.executable, isolated, option, script, path], check=False, capture_output=True)
    assert (ran.returncode, ran.stderr, broken.returncode) == (0, b"", 1)
    assert path.encode() in broken.stderr


def test_validation_is_of_what_there_is(tmp_path: Path) -> None:
    """An emperor has no configuration of gunicorn to read, and a stage without units nothing at all."""
    (verify,) = emitters()["systemd"].validate(staged(CASES["emperor"], tmp_path))
    assert Path(verify.command[-1]).name == "multihost.target"
    assert list(emitters()["systemd"].validate(Stage(CASES["emperor"], tmp_path / "none", frozenset()))) == []


def test_validation_reads_units_of_the_first_sites_alone(tmp_path: Path) -> None:
    """Of 51 changed units fifty are read, in the order of their names: they are made of the same lines."""
    sites = [make_site(f"s{number}", systemd=(("cpu_weight", 7),)) for number in range(10, 61)]
    plan = make_plan(*sites, platform=make_platform(**{**GUNICORN, "systemd": SystemdOptions(publish=0)}))
    stage = staged(plan, tmp_path, *(drop_in(f"multihost@{site.id}.service") for site in sites))
    verify, _ = emitters()["systemd"].validate(stage)
    instances = [Path(word).name for word in verify.command if "@s" in word]
    assert instances == [f"multihost@s{number}.service" for number in range(10, 60)]


def test_snapshot_units_are_there_for_platforms_with_snapshots() -> None:
    """Without a folder of snapshots, or without knowing the registry, there is nothing to renew."""
    assert "systemd/multihost-snapshot.service" in texts("systemd", CASES["gunicorn"])
    assert "systemd/multihost-snapshot.service" not in texts("systemd", CASES["one-account"])
    assert "systemd/multihost-snapshot.service" not in texts("systemd", CASES["emperor"])


def test_gunicorn_trusts_no_header_that_nginx_does_not_set() -> None:
    """One header says the scheme, no header stands for a variable of the server, and nothing else can steer it."""
    text = texts("systemd", CASES["gunicorn"])["systemd/gunicorn.conf.py"]
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Dict)
    }
    assert assigned["secure_scheme_headers"] == {"X-FORWARDED-PROTO": "https"}
    assert assigned["forwarder_headers"] == ""
    assert assigned["header_map"] == "drop"
    assert assigned["control_socket_disable"] is True
    assert assigned["preload_app"] is True


@pytest.mark.parametrize("header", ["", "HTTP_X_FORWARDED_PROTO", "HTTP_X_SCHEME"])
def test_nginx_states_every_header_that_gunicorn_takes_a_word_of(header: str) -> None:
    """nginx passes requests on by HTTP, and overwrites what a client could say of its address and scheme."""
    nginx = NginxOptions(proxies=("10.0.0.1",) if header else ())
    platform = make_platform(**GUNICORN, nginx=nginx, secure_proxy_ssl_header=(header, "https") if header else None)
    emitted = texts("nginx", make_plan(make_site("aurora"), platform=platform))
    assert 'proxy_pass "http://unix:/run/multihost/$multihost_socket:";' in emitted["nginx/locations.conf"]
    assert "uwsgi_pass" not in emitted["nginx/locations.conf"] and "uwsgi_param" not in emitted["nginx/nginx.conf"]
    lines = [line.split(" ") for line in emitted["nginx/gunicorn.conf"].splitlines() if line[0] != "#"]
    stated = {name.lower(): value for directive, name, value in (line for line in lines if len(line) == 3)}
    scheme = "$multihost_scheme;" if header else "$scheme;"
    assert {key: stated[key] for key in ("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "host")} == {
        "x-real-ip": "$remote_addr;",
        "x-forwarded-for": "$remote_addr;",
        "x-forwarded-proto": scheme,
        "host": "$host;",
    }
    assert stated["proxy"] == '"";'
    assert [stated[name] for name in ("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-ssl")] == [
        f"proto={scheme}",
        "$host;",
        "$multihost_port;",
        "$multihost_ssl;",
    ]
    assert len(lines) == len({line[1].lower() if len(line) == 3 else line[0] for line in lines})
    assert header != "HTTP_X_SCHEME" or stated["x-scheme"] == "$multihost_scheme;"


@pytest.mark.parametrize("minutes", [7, 45, 61, -5])
def test_minutes_that_do_not_divide_an_hour_are_refused(minutes: int) -> None:
    """Timers start anew with each hour: others would run in uneven steps."""
    with pytest.raises(ConfigurationError, match="divide an hour"):
        SystemdOptions(publish=minutes)
