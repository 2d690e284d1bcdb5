"""
What an editor of one site, with all rights in its admin and no code, tries on a neighbour: the neighbour's hostname in
Wagtail's own list of sites, with it purges of the neighbour's pages, names of uploads that lead elsewhere, and
addresses of this machine to embed.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from tests.servers.accounts import SITES
from tests.servers.editor import Editor, unique
from tests.servers.processes import wait_for
from tests.servers.street import Street, hosts, make_street, platform_table
from tests.servers.workshop import Workshop, write_registry

pytestmark = pytest.mark.servers

HOSTILE, NEIGHBOUR = "aurora", "borealis"


class Cache(HTTPServer):
    """A frontend cache that keeps the hosts that it was asked to purge."""

    purged: list[str]


class Purges(BaseHTTPRequestHandler):
    def do_PURGE(self) -> None:
        assert isinstance(self.server, Cache)
        self.server.purged.append(self.headers["Host"].partition(":")[0])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Town(NamedTuple):
    """Two served sites, and the frontend cache that both may purge."""

    street: Street
    cache: Cache

    def editor(self) -> Editor:
        return Editor(self.street.admin(HOSTILE))

    def uploads(self) -> set[str]:
        return {str(path) for path in (self.street.folder / "data/sites" / NEIGHBOUR).rglob("*")}


@contextlib.contextmanager
def running_cache() -> Iterator[Cache]:
    with Cache(("127.0.0.1", 0), Purges) as cache:
        cache.purged = []
        thread = threading.Thread(target=cache.serve_forever)
        thread.start()
        try:
            yield cache
        finally:
            cache.shutdown()
            thread.join()


@pytest.fixture(name="town", scope="module")
def _town(workshop: Workshop) -> Iterator[Town]:
    street = make_street(workshop, "editors")
    settings = workshop.project / "example/settings.py"
    before = settings.read_text()
    with running_cache() as cache:
        platform = platform_table(street, f"http://{{hostname}}:{street.ports.http}")
        location = f"http://127.0.0.1:{cache.server_port}"
        platform |= {"frontend": {"backend": "http", "location": location}}
        sites = {site: hosts(site) for site in (HOSTILE, NEIGHBOUR)}
        write_registry(street.registry, {"platform": platform, "sites": sites})
        # The signals that purge the pages that were published are in this application.
        apps = before.replace('"wagtail.embeds",', '"wagtail.embeds", "wagtail.contrib.frontend_cache",')
        settings.write_text(apps)
        try:
            street.manage(HOSTILE, "migrate", "--noinput", "-v0")
            street.manage(HOSTILE, "load_demo", "--password-file", str(street.password_file))
            copied(street)
            street.emit()
            with street.served():
                yield Town(street, cache)
        finally:
            settings.write_text(before)


def copied(street: Street) -> None:
    """Give the neighbour a copy of the database, which it takes over: sooner than tables of its own."""
    own, other = (street.folder / "data/sites" / site for site in (HOSTILE, NEIGHBOUR))
    SITES.folder(other, 0o700)
    SITES.take(Path(shutil.copy(own / "db.sqlite3", other)), 0o600)
    street.manage(NEIGHBOUR, "multihost_adopt", NEIGHBOUR, "--noinput")


def take_the_neighbours_hostname(street: Street) -> None:
    """Write the neighbour's hostname into the one site of Wagtail's list, through the admin."""
    browser = street.admin(HOSTILE)
    listed = browser.open("/admin/sites/")
    url = next(link for link in listed.links() if "/admin/sites/edit/" in link)
    page = browser.open(url)
    values = {"hostname": street.site(NEIGHBOUR).canonical, "port": str(street.ports.http)}
    browser.submit(page, page.form("hostname", "port"), values)
    changed = browser.open(url).form("hostname", "port")
    assert changed.fields["hostname"] == values["hostname"]


def test_an_editor_purges_and_shows_nothing_at_the_neighbours_address(town: Town) -> None:
    """A page that is published "at" the neighbour's host is on the own site alone; the neighbour's are not purged."""
    editor, purged = town.editor(), town.cache.purged
    editor.publish_article(unique("own"), "honest")
    wait_for(lambda: town.street.site(HOSTILE).canonical in purged, "the purge of a page of the own host")
    purged.clear()
    take_the_neighbours_hostname(town.street)
    path = editor.publish_article(unique("taken"), "hostile")
    assert town.street.home(HOSTILE).get(path).status == 200
    assert town.street.home(NEIGHBOUR).get(path).status == 404
    assert town.street.home(NEIGHBOUR).get("/").status == 200
    assert not [host for host in purged if NEIGHBOUR in host]


def test_names_of_uploads_lead_out_of_no_folder(town: Town) -> None:
    """An upload whose name has dots and slashes is in the own folder; the neighbour's is as before."""
    before = town.uploads()
    editor = town.editor()
    for name in (
        f"../../../{NEIGHBOUR}/media/documents/taken.txt",
        f"..\\..\\{NEIGHBOUR}\\taken.txt",
        "%2e%2e%2ftaken",
    ):
        editor.upload("/admin/documents/add/", unique("document"), (name, b"hostile", "text/plain"))
    assert town.uploads() == before
    own = town.street.folder / "data/sites" / HOSTILE
    assert len([path for path in own.rglob("*taken*") if path.read_bytes() == b"hostile"]) == 3


def embed(editor: Editor, url: str) -> str:
    """Ask for ``url`` to be embedded, as the admin's own form does; return the answer."""
    browser = editor.browser
    page = browser.open("/admin/documents/add/")
    token = page.form("title", "file").fields["csrfmiddlewaretoken"]
    body = urlencode({"csrfmiddlewaretoken": token, "embed-chooser-url": url}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": browser.origin, "Referer": page.url}
    answer = browser.request("POST", "/admin/embeds/chooser/upload/", body, headers)
    assert answer.status == 200
    return answer.text


def test_an_address_of_this_machine_is_not_asked_for_an_embed(town: Town) -> None:
    """Nothing that listens here gets a connection, however an address is dressed as a provider's."""
    editor = town.editor()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        for url in (
            f"http://{host}/-/health",
            f"http://{host}/youtube.com/watch?v=1",
            f"https://www.youtube.com@{host}/watch?v=1",
            f"http://localhost:{listener.getsockname()[1]}/www.youtube.com/watch?v=1",
            "http://169.254.169.254/latest/meta-data/",
        ):
            assert '"step": "chooser"' in embed(editor, url), url
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
