"""The health report in Wagtail's admin in a real browser, and the health page at a developer's own machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.servers.browser import Browser
from tests.servers.chromium import Chromium, chromium
from tests.servers.processes import free_port, running, wait_for
from tests.servers.workshop import CHECKOUT, LEFT_OUT
from wagtail_multihost.health.refreshing import SECONDS

pytestmark = pytest.mark.servers

SITES = '[platform]\nname = "aviary"\ndata = "./data"\n[sites.aurora]\nhostnames = ["aurora.localhost"]\n'
REPORT = "/admin/reports/health/"
PASSWORD = "a-password-for-tests"
#: Three people who can sign in, of whom one has the permission and one may do everything.
PEOPLE = f"""
from django.contrib.auth.models import Group, Permission, User
for name, codenames in (("watcher", ["access_admin", "view_health"]), ("writer", ["access_admin"])):
    group = Group.objects.create(name=name)
    group.permissions.set(Permission.objects.filter(codename__in=codenames))
    User.objects.create_user(name, password="{PASSWORD}").groups.add(group)
User.objects.create_superuser("owner", password="{PASSWORD}")
"""
IS_MARKED = "document.documentElement.dataset.marked"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(name="origin", scope="module")
def _origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project under Django's server for development, with one site and three people."""
    folder = tmp_path_factory.mktemp("report") / "project"
    shutil.copytree(CHECKOUT / "example_project", folder, ignore=LEFT_OUT)
    (folder / "sites.toml").write_text(SITES)
    environ = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "LANG": "C.UTF-8",
        "DEBUG": "1",
        "DJANGO_SETTINGS_MODULE": "example.settings",
        "MULTIHOST_REGISTRY": str(folder / "sites.toml"),
        "MULTIHOST_SITE": "aurora",
    }
    for words in (["migrate", "--no-input", "-v0"], ["shell", "-v0", "-c", PEOPLE]):
        subprocess.run([sys.executable, "manage.py", *words], env=environ, cwd=folder, check=True, timeout=300)
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with running(command, folder / "log", environ, folder):
        browser = Browser(f"http://aurora.localhost:{port}", port)
        wait_for(lambda: answers(browser), "the development server")
        yield browser.origin


def answers(browser: Browser) -> bool:
    try:
        return browser.get("/-/live").status == 200
    except OSError:
        return False


@pytest.fixture(name="browser")
def _browser(tmp_path: Path) -> Iterator[Chromium]:
    with chromium(tmp_path / "chromium") as opened:
        yield opened


def is_shown(browser: Chromium, path: str, condition: str = "true") -> bool:
    """
    Return whether the page at ``path`` is there whole, and ``condition`` is true of it.

    Both are asked of one page: between two questions the browser may have begun to load the next.
    """
    is_there = f"location.pathname === {json.dumps(path)} && document.readyState === 'complete'"
    try:
        return bool(browser.evaluate(f"{is_there} && Boolean({condition})"))
    except AssertionError:  # between two pages there is nothing that could evaluate it
        return False


def mark(browser: Chromium) -> None:
    """Mark the page that is shown; the next one does not satisfy ``IS_MARKED``."""
    browser.evaluate("document.documentElement.dataset.marked = 'yes'; 1")


def show(browser: Chromium, url: str, path: str) -> str:
    """Visit ``url``, which leads to ``path``; return what a person reads there."""
    mark(browser)
    browser.send("Page.navigate", url=url)
    wait_for(lambda: is_shown(browser, path, f"!{IS_MARKED}"), path)
    return str(browser.evaluate("document.body.innerText"))


def sign_in(browser: Chromium, origin: str, name: str) -> None:
    browser.visit(f"{origin}/admin/login/", width=1280, height=900)
    for field, value in {"username": name, "password": PASSWORD}.items():
        browser.evaluate(f"document.querySelector('[name={field}]').value = {json.dumps(value)}; 1")
    browser.evaluate("document.querySelector('form [type=submit]').click(); 1")
    wait_for(lambda: is_shown(browser, "/admin/"), "the admin after the login")


def names_the_report(browser: Chromium) -> bool:
    """Return whether the admin's menu has the report."""
    return bool(browser.evaluate(f"document.documentElement.innerHTML.includes({json.dumps(REPORT)})"))


def violations(browser: Chromium) -> list[str]:
    """Return what axe has to say against the report; the rest of the page is Wagtail's."""
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    browser.evaluate(f"{axe}; 1")
    call = f"axe.run('main .nice-padding', {json.dumps({'runOnly': AXE_TAGS})})"
    found = browser.evaluate(f"{call}.then(({{violations, passes}}) => ({{violations, passes}}))")
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found["violations"]]


@pytest.mark.parametrize("name", ["watcher", "owner"])
def test_person_with_the_permission_opens_the_report(browser: Chromium, origin: str, name: str, tmp_path: Path) -> None:
    """Signed in, the menu leads to it, it shows the site's probes, and axe finds nothing on it."""
    sign_in(browser, origin, name)
    assert names_the_report(browser)
    text = show(browser, f"{origin}{REPORT}", REPORT)
    browser.screenshot(tmp_path / f"{name}.png")
    assert all(word in text for word in ("aurora", "database", "migrations", "Pause this"))
    assert violations(browser) == []


def test_report_is_loaded_again_until_that_is_paused(browser: Chromium, origin: str) -> None:
    """The browser loads it again by itself; after a click on the link it does not."""
    sign_in(browser, origin, "watcher")
    show(browser, f"{origin}{REPORT}", REPORT)
    mark(browser)
    wait_for(lambda: is_shown(browser, REPORT, f"!{IS_MARKED}"), "the next load")
    browser.evaluate("document.querySelector('a[href=\"?refresh=off\"]').click(); 1")
    wait_for(lambda: is_shown(browser, REPORT, "location.search"), "the paused page")
    mark(browser)
    time.sleep(SECONDS + 2)
    assert browser.evaluate(IS_MARKED) == "yes"


def test_person_without_the_permission_sees_nothing_of_it(browser: Chromium, origin: str) -> None:
    """Who may only write is led back to the admin, and the menu does not name the report."""
    sign_in(browser, origin, "writer")
    assert not names_the_report(browser)
    text = show(browser, f"{origin}{REPORT}", "/admin/")
    assert not any(word in text for word in ("migrations", "Pause this"))


def test_stranger_is_asked_to_sign_in(browser: Chromium, origin: str) -> None:
    """Whoever is not signed in sees the form for that."""
    text = show(browser, f"{origin}{REPORT}", "/admin/login/")
    assert not any(word in text for word in ("migrations", "Pause this"))


def test_developer_opens_the_health_page(browser: Chromium, origin: str) -> None:
    """At the own machine, in development, the page needs no token; under another name it is one word."""
    text = show(browser, f"{origin}/-/health.html", "/-/health.html")
    assert all(word in text for word in ("aurora", "database", "migrations", "Pause this"))
    port = int(origin.rpartition(":")[2])
    rebound = Browser(f"http://rebound.example.org:{port}", port).get("/-/health.html").text
    assert not any(word in rebound for word in ("aurora", "database", "migrations", "Pause this"))
