"""uWSGI's router on the one port: which socket a host is served at, and whether it answers."""

import http.client
from collections.abc import Iterable

from runner.children import Child, wait_for
from runner.progress import Progress
from runner.registry import Place

ANSWER_SECONDS = 60

HOSTMAP = '''\
"""The socket of a host, for uWSGI's router (http-use-code-string): from hosts.txt here, else from the emitted one."""

import importlib.util

found = importlib.util.spec_from_file_location("emitted_hostmap", {emitted!r})
emitted = importlib.util.module_from_spec(found)
found.loader.exec_module(emitted)
own = emitted.HostMap({own!r})


def lookup(key):
    return own.socket(key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")) or emitted.lookup(key)
'''


def write_router(place: Place) -> list[str]:
    """Write the program of the router, and no host yet; return uWSGI's words for it."""
    path = place.runtime / "hostmap.py"
    emitted = place.etc / "uwsgi-emperor" / "hostmap.py"
    path.write_text(HOSTMAP.format(emitted=str(emitted), own=str(place.runtime / "hosts.txt")))
    return ["--http-use-code-string", f"0:{path}:lookup"]


def send_to(host: str, socket: str, place: Place) -> None:
    """Let the router send ``host`` to ``socket`` from now on."""
    (place.runtime / "hosts.txt").write_text(f"{host} {socket}\n")


def wait_until_served(hosts: Iterable[str], port: int, emperor: Child, progress: Progress) -> None:
    for host in hosts:
        wait_for(lambda host=host: answers(host, port), emperor, host, progress)


def answers(host: str, port: int, path: str = "/") -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
