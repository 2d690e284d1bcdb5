"""systemd's own word on the emitted units, and gunicorn's on its settings."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts, written
from tests.emitters.strategies import site_ids
from tests.emitters.test_systemd import CASES
from tests.emitters.test_systemd_quoting import PLACES, below, hostile, hostile_plan
from tests.emitters.units import command, environment, last, read_unit
from tests.servers.accounts import OTHERS
from tests.servers.processes import accepts, running, wait_for
from wagtail_multihost.emitters import Plan, Stage, emit, emitters
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.systemd import SystemdOptions

pytestmark = pytest.mark.servers

SYSTEMD = "/usr/lib/systemd/systemd"
APPLICATION = """
import gc
import json

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO", "HTTP_X_REAL_IP", "wsgi.multithread")
    return [json.dumps({**{name: environ.get(name) for name in names}, "frozen": gc.get_freeze_count()}).encode()]
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account may read, for systemd tests its units under no account of root's."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def loaded(folder: Path, plan: Plan, unit: str) -> dict[str, list[str]]:
    """Return what systemd has made of a unit, by the names that it shows."""
    shutil.rmtree(folder / "units", ignore_errors=True)
    for file in emit("systemd", plan):
        path = folder / "units" / Path(*file.path.parts[1:])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
    start = OTHERS.command(SYSTEMD, "--test", "--system", f"--unit={unit}")
    environ = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "SYSTEMD_UNIT_PATH": f"{folder}/units:",
        "SYSTEMD_LOG_TARGET": "console",
        "SYSTEMD_LOG_LEVEL": "info",
        "XDG_RUNTIME_DIR": str(folder),
    }
    done = subprocess.run(start, capture_output=True, env=environ, timeout=60, check=False)
    output = (done.stdout + done.stderr).decode()
    # Any word of systemd's on the files would be a warning.
    assert f"{folder}/units" not in re.sub(r"(Fragment|DropIn) Path: .*", "", output), output[:2000]
    block = output.partition(f"-> Unit {unit}:\n")[2].partition("-> Unit ")[0]
    found = defaultdict(list)
    for line in block.split("\n"):
        key, _, value = line.lstrip("\t").partition(": ")
        found[key].append(value)
    assert found, output[-2000:]
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(site=site_ids, folders=st.fixed_dictionaries({place: below(place) for place in PLACES}), registry=hostile)
def test_systemd_itself_reads_every_accepted_value(
    folder: Path, site: str, folders: dict[str, Any], registry: str
) -> None:
    """systemd finds in the units of any accepted site the values of the spec, and nothing to complain of."""
    plan = hostile_plan(site, folders, registry)
    try:
        texts("systemd", plan)
    except RenderError:
        assume(False)
    found = loaded(folder, plan, f"multihost@{site}.service")
    assert f"MULTIHOST_REGISTRY={registry}" in found["Environment"]
    assert f"TMPDIR={folders['data']}/sites/{site}/tmp" in found["Environment"]
    assert found["WorkingDirectory"] == [str(folders["own_directory"])]
    bound = [f"-{path}:{path}:rbind" for path in (f"{folders['data']}/sites/{site}", folders["media"])]
    assert found["BindPaths"] == bound
    (start,) = found["Command Line"]
    # As for a shell, which knows more escapes in double quotes than shlex.
    shell = re.sub(r"\\([`$])", r"\1", start)
    assert [word.replace("$$", "$") for word in shlex.split(shell)] == [
        f"{folders['own_virtualenv']}/bin/gunicorn",
        "--config",
        f"{folders['output']}/systemd/gunicorn.conf.py",
        "website.wsgi:application",
    ]
    assert found["User"] == [f"site-{site}"]


@pytest.mark.parametrize("case", CASES)
def test_systemd_accepts_every_unit(folder: Path, case: str) -> None:
    """systemd-analyze verify, as a stage is validated, misses the programs of these examples and nothing else."""
    plan = CASES[case]
    changed = frozenset(file.path for file in emit("systemd", plan))
    for path, text in texts("systemd", plan).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (verify, *_) = emitters()["systemd"].validate(Stage(plan, folder, changed))
    done = subprocess.run(verify.command, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if "is not executable: No such file" not in line]
    assert complaints == []


@pytest.mark.parametrize(("line", "accepted"), [("", True), ("ProtectSytem=strict\n", False)])
def test_validation_tells_a_broken_unit_from_a_good_one(folder: Path, line: str, accepted: bool) -> None:
    """A setting that systemd does not know, in a template of the integrator's for example, fails the validation."""
    plan = trivial_plan(folder)
    for path, text in texts("systemd", plan).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("Restart=always\n", f"Restart=always\n{line}"))
    for validation in emitters()["systemd"].validate(Stage(plan, folder, frozenset())):
        done = subprocess.run(validation.command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == (accepted or validation.what != "the units"), done.stderr


def trivial_plan(folder: Path, **options: Any) -> Plan:
    """Return a plan of one site that runs a trivial application with this environment's gunicorn."""
    (folder / "run").mkdir()
    (folder / "trivial.py").write_text(APPLICATION)
    return make_plan(
        make_site("aurora"),
        directory=folder,
        platform=make_platform(runner="gunicorn", sockets=folder / "run", systemd=SystemdOptions(**options)),
        codebase=make_codebase(directory=folder, virtualenv=Path(sys.prefix), wsgi="trivial:application"),
    )


def ask(path: Path, **headers: str) -> dict[str, Any]:
    """Return what the application sees of a request at its socket."""
    with socket.socket(socket.AF_UNIX) as own, closing(http.client.HTTPConnection("aurora.example.org")) as connection:
        own.settimeout(30)
        own.connect(str(path))
        connection.sock = own
        connection.request("GET", "/a/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as response:
            return dict(json.loads(response.read()))


@pytest.mark.parametrize("threads", [1, 2])
def test_gunicorn_serves_as_its_settings_say(folder: Path, threads: int) -> None:
    """The visitor's address and scheme are those that nginx states, no other header has a say, and memory is shared."""
    plan = trivial_plan(folder, workers=1, threads=threads)
    written("systemd", plan)
    unit = read_unit(texts("systemd", plan)["systemd/multihost@.service"])
    path, log = folder / "run" / "aurora.sock", folder / "log"
    variables = [word for pair in environment(unit, "aurora").items() for word in ("-E", "=".join(pair))]
    start = command(last(unit, "Service", "ExecStart"), "aurora")
    with running(["systemd-socket-activate", "-l", path, *variables, *start], log, cwd=folder):
        wait_for(lambda: accepts(path), "the socket", 30)
        found = ask(path, X_Real_IP="192.0.2.7", X_Forwarded_Proto="https")
        assert found.pop("frozen") > 0
        assert found == {
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.url_scheme": "https",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a/",
            "HTTP_X_REAL_IP": None,
            "wsgi.multithread": threads > 1,
        }
        spoofed = ask(path, Script_Name="/x", Path_Info="/y", X_Forwarded_Ssl="on", X_Forwarded_Protocol="ssl")
        assert (spoofed["SCRIPT_NAME"], spoofed["PATH_INFO"], spoofed["wsgi.url_scheme"]) == ("", "/a/", "http")
    assert "aurora [" in log.read_text()
    assert not list((folder / "run").glob("*.ctl"))
