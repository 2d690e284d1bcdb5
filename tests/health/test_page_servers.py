"""The page for people, in a real browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import pytest

from tests.health.samples import TOKEN, Told, crowded, endpoint, failing, report
from tests.servers.chromium import Chromium, chromium
from tests.servers.processes import wait_for
from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.endpoint import Endpoint

pytestmark = pytest.mark.servers

SCREENS = {"phone": (360, 740), "desktop": (1280, 800)}
#: https://www.w3.org/WAI/WCAG22/Understanding/reflow.html
NARROWEST = 320
KNOWN = {"Authorization": f"Bearer {TOKEN}"}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Handler(BaseHTTPRequestHandler):
    """Answers as the endpoint does, from another report below each prefix."""

    endpoints: ClassVar[dict[str, Endpoint]] = {}

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        prefix = f"/{path.split('/')[1]}/"
        found = self.endpoints.get(prefix)
        question = HealthRequest(
            "GET", path, self.headers.get("Authorization", ""), self.headers.get("Accept", ""), query=query
        )
        answer = found.answer(question) if found else None
        self.send_response(answer.status if answer else 404)
        for name, value in answer.all_headers if answer else [("Content-Length", "0")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body if answer else b"")

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server with the endpoint, on a port of the loopback interface."""
    sources = {"/all/": report(), "/down/": failing(), "/many/": crowded(), "/new/": None}
    Handler.endpoints = {prefix: endpoint(Told(source), prefix=prefix) for prefix, source in sources.items()}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", ["all", "many", "down", "new", "anonymous"])
def test_page_is_accessible_and_fits(
    browser: Chromium, origin: str, page: str, screen: str, scheme: str, tmp_path: Path
) -> None:
    """On a phone and on a desktop, light and dark, axe finds nothing and nothing has to be scrolled sideways."""
    width, height = SCREENS[screen]
    headers = {} if page == "anonymous" else KNOWN
    path = "all" if page == "anonymous" else page
    browser.visit(f"{origin}/{path}/health.html", width=width, height=height, scheme=scheme, **headers)
    browser.screenshot(tmp_path / f"{page}-{screen}-{scheme}.png")
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert violations(browser) == []


def test_page_is_styled_and_loads_nothing(browser: Chromium, origin: str) -> None:
    """Its policy lets its own style through, and there is nothing else to load."""
    browser.visit(f"{origin}/all/health.html", width=360, height=740, **KNOWN)
    assert browser.evaluate("getComputedStyle(document.querySelector('.banner')).display") == "flex"
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0


def test_page_fits_the_narrowest_screen(browser: Chromium, origin: str) -> None:
    """Somebody who has magnified it four times scrolls in one direction only."""
    browser.visit(f"{origin}/all/health.html", width=NARROWEST, height=640, **KNOWN)
    assert browser.evaluate("document.documentElement.scrollWidth") == NARROWEST


def test_page_is_loaded_again_until_that_is_paused(
    browser: Chromium, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policy lets the browser load it again, and the link pauses that; each second here."""
    monkeypatch.setattr("wagtail_multihost.health.endpoint.REFRESH", (("Refresh", "1"),))
    browser.visit(f"{origin}/all/health.html", width=360, height=740, **KNOWN)
    browser.evaluate("document.documentElement.dataset.seen = 'yes'; 1")
    wait_for(lambda: not is_marked(browser), "the next load")
    browser.visit(f"{origin}/all/health.html?refresh=off", width=360, height=740, **KNOWN)
    browser.evaluate("document.documentElement.dataset.seen = 'yes'; 1")
    time.sleep(3)
    assert is_marked(browser)


def is_marked(browser: Chromium) -> bool:
    """Return whether the page is still the one that was marked."""
    try:
        return browser.evaluate("document.documentElement.dataset.seen") == "yes"
    except AssertionError:  # between two pages there is nothing that could evaluate it
        return True


def violations(browser: Chromium) -> list[str]:
    """Return what axe has to say against the page that is shown; it must have looked at the contrast."""
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    browser.evaluate(f"{axe}; 1")
    options = json.dumps({"runOnly": AXE_TAGS})
    found = browser.evaluate(f"axe.run({options}).then(({{violations, passes}}) => ({{violations, passes}}))")
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found["violations"]]
