"""One run: prepare, serve, say what there is, wait, and stop everything."""

import http.client
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.announcing import announce
from runner.arguments import parse_port, refuse_used_port
from runner.children import Child, end_all, start
from runner.folders import HERE, LOGS, only_run, remove_leftovers, runtime_folder, sentence_of
from runner.preparing import Site, environment, prepare, write_registry
from runner.progress import Progress

START_SECONDS = 60


def run() -> int:
    port = parse_port()
    progress = Progress()
    os.umask(0o077)
    try:
        with only_run():
            if left := remove_leftovers():
                progress.begin(f"Removed what a killed run had left: {' and '.join(left)}")
            refuse_used_port(port)
            with runtime_folder() as runtime:
                try:
                    sites = write_registry(port, runtime)
                    prepare(sites, runtime, progress)
                    return serve(sites, port, runtime, progress)
                finally:
                    progress.end()
                    end_all()
    except OSError as error:
        sys.exit(sentence_of(error))


def serve(sites: Sequence[Site], port: int, runtime: Path, progress: Progress) -> int:
    progress.begin("Starting the sites")
    emperor = start_emperor(runtime)
    wait_until_served([site.host for site in sites], port, emperor, progress)
    progress.end()
    announce(sites, port)
    emperor.process.wait()
    print(f"uWSGI ended by itself; {emperor.log} says why.", file=sys.stderr)
    return 1


def start_emperor(runtime: Path) -> Child:
    uwsgi = Path(sys.executable).with_name("uwsgi")
    emperor = runtime / "etc" / "uwsgi-emperor" / "emperor.ini"
    return start([str(uwsgi), "--ini", str(emperor)], LOGS / "uwsgi.log", environment(), HERE)


def wait_until_served(hosts: Iterable[str], port: int, emperor: Child, progress: Progress) -> None:
    deadline = time.monotonic() + START_SECONDS
    for host in hosts:
        while not answers(host, port):
            if emperor.process.poll() is not None or time.monotonic() > deadline:
                progress.end()
                sys.exit(f"{host} is not served. {emperor.log} says why.")
            progress.show()
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
