"""Prepare the three sites and serve them with uWSGI alone, until Ctrl-C or SIGTERM."""

import argparse
import contextlib
import ctypes
import fcntl
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import tomlkit

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
REGISTRY = DATA / "sites.toml"
PASSWORD = DATA / "admin-password"
LOG = DATA / "uwsgi.log"
MANAGE = [sys.executable, str(HERE / "manage.py")]
START_SECONDS = 60
STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1  # prctl(2)
KEPT_VARIABLES = frozenset({"DEBUG", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "XDG_RUNTIME_DIR"})


def main() -> int:
    options = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    os.umask(0o077)
    DATA.mkdir(mode=0o711, exist_ok=True)
    try:
        with only_run(), runtime_folder() as runtime:
            refuse_used_port(options.port)
            hosts = write_registry(options.port, runtime)
            prepare(hosts, runtime)
            return serve(hosts, options.port, runtime)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr, flush=True)
        return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="example_project/run", description="Serve three isolated Wagtail sites.")
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (default: 8000)")
    options = parser.parse_args()
    if not 1 <= options.port <= 65535:
        parser.error(f"--port must be 1 to 65535, not {options.port}.")
    return options


@contextlib.contextmanager
def only_run() -> Iterator[None]:
    """Refuse a second run on the same data."""
    with open(DATA / "run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("The sites of this checkout are being served already; stop that run first.")
        yield


@contextlib.contextmanager
def runtime_folder() -> Iterator[Path]:
    """Make a 0700 folder for sockets and configs; short, because a socket's path ends at 102 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="mh-", dir=os.environ.get("XDG_RUNTIME_DIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"Port {port} cannot be used: {error.strerror}. Choose another: example_project/run --port N")


def write_registry(port: int, runtime: Path) -> dict[str, str]:
    """Write the registry of this run, sites.toml with its port and folders; return site id to hostname."""
    document = tomlkit.parse((HERE / "sites.toml").read_text())
    platform = document["platform"]
    platform["data"] = str(DATA)
    platform["sockets"] = str(runtime)
    platform["origin"] = f"http://{{hostname}}:{port}"
    platform["uwsgi"]["http"] = f"127.0.0.1:{port}"
    REGISTRY.write_text(tomlkit.dumps(document))
    sites = tomllib.loads(REGISTRY.read_text())["sites"]
    return {site: record["hostnames"][0] for site, record in sites.items()}


def prepare(hosts: dict[str, str], runtime: Path) -> None:
    """Make databases, content, static files and configs; what is there already stays."""
    if not PASSWORD.exists():
        PASSWORD.write_text(f"{secrets.token_urlsafe(12)}\n")
    commands = [(site, ["load_demo", "--password-file", str(PASSWORD)]) for site in hosts]
    commands.append(("", ["collectstatic", "--noinput", "-v0"]))
    commands.append(("", ["multihost_emit", "uwsgi", "--output", str(runtime / "etc"), "-v0"]))
    # The first makes the platform's key, so it goes first and says so once.
    finish([start_command(*commands[0])])
    finish([start_command(*command) for command in commands[1:]])


def environment(site: str = "") -> dict[str, str]:
    # Nothing else: uWSGI reads UWSGI_ variables as options, and every site would see the rest.
    own = {key: value for key, value in os.environ.items() if key in KEPT_VARIABLES}
    return {**own, "MULTIHOST_REGISTRY": str(REGISTRY), **({"MULTIHOST_SITE": site} if site else {})}


def start_command(site: str, words: list[str]) -> subprocess.Popen[bytes]:
    command = [*MANAGE, *words]
    return subprocess.Popen(command, env=environment(site), stdout=sys.stderr, cwd=HERE, preexec_fn=die_with_parent)


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    try:
        failed = [process.args for process in processes if process.wait() != 0]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if failed:
        sys.exit(f"This failed: {' '.join(failed[0])}")


def serve(hosts: dict[str, str], port: int, runtime: Path) -> int:
    emperor = start_emperor(runtime)
    try:
        wait_until_served(hosts.values(), port, emperor)
        announce(hosts.values(), port)
        emperor.wait()
        print(f"uWSGI ended by itself; see {LOG}.", file=sys.stderr)
        return 1
    finally:
        print("Stopping …", file=sys.stderr, flush=True)
        end(emperor)


def stop(number: int, frame: object) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def start_emperor(runtime: Path) -> subprocess.Popen[bytes]:
    uwsgi = Path(sys.executable).with_name("uwsgi")
    with open(LOG, "wb") as log:
        return subprocess.Popen(
            [str(uwsgi), "--ini", str(runtime / "etc" / "uwsgi-emperor" / "emperor.ini")],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_until_served(hosts: Iterable[str], port: int, emperor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    for host in hosts:
        while not answers(host, port):
            if emperor.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{host} is not served. The end of {LOG}:\n{LOG.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)


def answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def announce(hosts: Iterable[str], port: int) -> None:
    lines = [f"  http://{host}:{port}/" for host in hosts]
    login = f"Admin: add admin/ to an address; user admin, password {PASSWORD.read_text().strip()}"
    print("\n".join(["Three sites, one codebase:", *lines, login, "Stop with Ctrl-C."]), flush=True)


def end(emperor: subprocess.Popen[bytes]) -> None:
    """Stop the emperor, which stops its vassals; kill its session when it does not."""
    if emperor.poll() is None:
        emperor.terminate()
        try:
            emperor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(emperor.pid, signal.SIGKILL)
            emperor.wait()


if __name__ == "__main__":
    sys.exit(main())
