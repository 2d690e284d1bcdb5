"""A site gets a new hostname while visitors ask for the old one and the new one, in the order that the guide gives."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.browser import Page
from tests.servers.nginx import raw, status_of
from tests.servers.processes import wait_for
from tests.servers.street import Street, make_street, platform_table
from tests.servers.workshop import Workshop, write_registry

pytestmark = pytest.mark.servers

SITE, OLD, WWW, NEW = "lupus", "lupus.example.org", "www.lupus.example.org", "wolf.example.org"
OWN_PAGE = "Welcome to Lupus"
UNKNOWN = 0
ROW = "from wagtail.models import Site; print(*Site.objects.values_list('hostname', 'port', 'is_default_site'))"


@pytest.fixture(name="wolf")
def _wolf(workshop: Workshop) -> Iterator[Street]:
    street = make_street(workshop, "wolf")
    write(street, OLD, WWW)
    street.manage(SITE, "load_demo", "--password-file", str(street.password_file))
    street.emit()
    with street.served():
        yield street


def write(street: Street, *hostnames: str) -> None:
    platform = platform_table(street, f"http://{{hostname}}:{street.ports.http}")
    write_registry(street.registry, {"platform": platform, "sites": {SITE: {"hostnames": hostnames}}})


@contextmanager
def visited(street: Street) -> Iterator[dict[str, list[tuple[int, str]]]]:
    """Ask for the pages of all names, over and over; collect for each the status, and the title or the Location."""
    seen: dict[str, list[tuple[int, str]]] = defaultdict(list)
    done = threading.Event()

    def visit(host: str) -> None:
        while not done.is_set():
            seen[host].append(answer(street, host))

    threads = [threading.Thread(target=visit, args=(host,)) for host in (OLD, WWW, NEW)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(seen) == 3, "the first visits")
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def answer(street: Street, host: str) -> tuple[int, str]:
    try:
        page: Page = street.browser(host).get("/search/?q=a" if host == WWW else "/")
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return UNKNOWN, ""  # as nginx treats a host that is no site's
    return page.status, page.location or (OWN_PAGE if OWN_PAGE in page.text else page.text)


def reload_site(street: Street) -> None:
    """Have the emperor reload the site's process gracefully, and wait until the new one serves."""
    before = pid(street)
    os.utime(street.etc / "uwsgi" / f"{SITE}.ini")
    wait_for(lambda: pid(street) != before, "a new process")


def pid(street: Street) -> int:
    return int(json.loads(street.browser(OLD).get("/process/").body)["pid"])


def reload_nginx(street: Street) -> None:
    os.kill(int(Path(street.folder / "nginx.pid").read_text()), signal.SIGHUP)
    wait_for(lambda: answer(street, NEW)[0] == 200, "the new name")


def test_visitors_notice_nothing_but_the_new_name(wolf: Street) -> None:
    """No request gets another site, a 400 or a 5xx; the old name is served, then leads to the new one."""
    address, new_address = (f"http://{host}:{wolf.ports.http}/" for host in (OLD, NEW))
    with visited(wolf) as seen:
        write(wolf, NEW, OLD, WWW)
        reload_site(wolf)
        wolf.emit()
        reload_nginx(wolf)
        changed = wolf.manage("", "multihost_hostname", SITE)
        wait_for(lambda: all(answers[-1][0] in (200, 301) for answers in seen.values()), "the last visits")
    own = (200, OWN_PAGE)
    assert set(seen[OLD]) == {own, (301, new_address)}
    assert set(seen[WWW]) == {(301, f"{address}search/?q=a"), (301, f"{new_address}search/?q=a")}
    assert set(seen[NEW]) == {(UNKNOWN, ""), own}
    assert f"{OLD}:{wolf.ports.http} becomes {NEW}:{wolf.ports.http}" in changed
    assert wolf.python(SITE, ROW) == str((NEW, wolf.ports.http, True))
    assert "nothing to do" in wolf.manage("", "multihost_hostname", SITE, "--check")
    for host in (OLD, WWW):
        redirect = raw(wolf.ports.http, "GET /a/?b=c HTTP/1.1", f"Host: {host}")
        assert status_of(redirect) == 301
        assert f"Location: {new_address}a/?b=c" in redirect
