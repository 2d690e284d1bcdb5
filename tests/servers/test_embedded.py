"""
Three sites on the embedded default cannot see each other: with the example project, and with what
``wagtail start`` makes plus the lines of the README.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.servers.browser import Page
from tests.servers.embedded import EXAMPLE, SITES, STARTED, Embedded, copy_sessions, opened
from tests.servers.processes import children, wait_for

pytestmark = pytest.mark.servers

FIRST, SECOND, THIRD = SITES
RESET = """
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
user = get_user_model().objects.get(username="admin")
print("RESET", urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user))
"""
PARENT = """
from wagtail.models import Site
print("PARENT", Site.objects.get(is_default_site=True).root_page_id)
"""


@pytest.fixture(name="embedded", scope="module", params=[EXAMPLE, STARTED], ids=lambda kind: kind.name)
def _embedded(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with opened(request.param) as embedded:
        yield embedded


def picture(color: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (80, 60), color).save(stream, "PNG")
    return stream.getvalue()


def printed(output: str, word: str) -> list[str]:
    """Return what follows ``word`` in the one line of ``output`` that starts with it."""
    return next(line.split()[1:] for line in output.splitlines() if line.startswith(f"{word} "))


def publish(embedded: Embedded, site: str, title: str, slug: str) -> Page:
    [parent] = printed(embedded.manage("shell", "-c", PARENT, site=site), "PARENT")
    admin = embedded.admin(site)
    page = admin.open(f"/admin/pages/add/{embedded.kind.page_type}/{parent}/")
    values = {"title": title, "slug": slug, "action-publish": "action-publish"}
    return admin.submit(page, page.form("title", "slug"), values)


@pytest.mark.parametrize("site", SITES)
def test_host_shows_its_own_home_page(embedded: Embedded, site: str) -> None:
    """A hostname and an alias show their site's home page, and no other site's name."""
    for host in (site, f"{site}-alias", site.upper()):
        text = embedded.browser(host).get("/").text
        assert f"Welcome to {site.title()}" in text
        assert not any(f"Welcome to {other.title()}" in text for other in SITES if other != site)


def test_second_hostname_redirects_to_the_first(embedded: Embedded) -> None:
    """www leads to the canonical hostname, with path and query."""
    page = embedded.browser(f"www.{FIRST}").get("/search/?q=a%20b")
    assert page.status == 301
    assert page.headers["Location"] == f"http://{FIRST}.localhost:{embedded.port}/search/?q=a%20b"


@pytest.mark.parametrize("host", ["unknown", "www.unknown", f"x.{FIRST}", f"{FIRST}.{SECOND}"])
def test_unknown_host_reaches_no_site(embedded: Embedded, host: str) -> None:
    """A host that is not in the registry gets a closed answer."""
    page = embedded.browser(host).get("/")
    assert page.status in (404, 421)
    assert "Welcome" not in page.text


def test_uploaded_image_is_in_its_own_folder_and_served(embedded: Embedded) -> None:
    """An image uploaded in one site's admin is that site's alone."""
    admin, content = embedded.admin(FIRST), picture("red")
    page = admin.open("/admin/images/add/")
    answer = admin.submit(page, page.form("title", "file"), {"title": "Red", "file": ("red.png", content, "image/png")})
    assert answer.status == 302
    [stored] = list((embedded.data(FIRST) / "media" / "original_images").glob("red*.png"))
    assert stored.stat().st_mode & 0o777 == 0o640
    path = f"/media/original_images/{stored.name}"
    served = embedded.browser(FIRST).get(path)
    assert (served.status, served.body) == (200, content)
    for other in (SECOND, THIRD):
        assert embedded.browser(other).get(path).status == 404
        assert not list(embedded.data(other).rglob("red*.png"))


def test_published_page_is_absent_from_the_others(embedded: Embedded) -> None:
    """A page published in one site is found there, by its own search, and nowhere else."""
    answer = publish(embedded, SECOND, "Zugunruhe of terns", "zugunruhe")
    assert answer.status == 302
    query = embedded.kind.search.format(query="zugunruhe")
    assert embedded.browser(SECOND).get("/zugunruhe/").status == 200
    assert "Zugunruhe of terns" in embedded.browser(SECOND).get(query).text
    for other in (FIRST, THIRD):
        assert embedded.browser(other).get("/zugunruhe/").status == 404
        assert "Zugunruhe of terns" not in embedded.browser(other).get(query).text


def test_session_of_one_site_is_refused_by_a_clone(embedded: Embedded) -> None:
    """A session cookie is of no use on a site whose database has the same users and sessions."""
    admin = embedded.admin(FIRST)
    assert admin.get("/admin/").status == 200
    copy_sessions(embedded.folder, FIRST, SECOND)
    stranger = embedded.browser(SECOND)
    stranger.cookies = {f"sessionid_{SECOND}": admin.cookies[f"sessionid_{FIRST}"]}
    answer = stranger.get("/admin/")
    assert answer.status == 302
    assert urlsplit(answer.location).path == "/admin/login/"


def test_password_reset_token_of_one_site_is_refused_by_a_clone(embedded: Embedded) -> None:
    """A reset link works on its own site and not on one whose database has the same users."""
    uid, token = printed(embedded.manage("shell", "-c", RESET, site=THIRD), "RESET")
    path = f"/admin/password_reset/confirm/{uid}/{token}/"
    valid = embedded.browser(THIRD).get(path)
    assert (valid.status, urlsplit(valid.location).path) == (
        302,
        f"/admin/password_reset/confirm/{uid}/set-password/",
    )
    assert embedded.browser(SECOND).get(path).status == 200


def test_killed_worker_disturbs_no_other_site(embedded: Embedded) -> None:
    """``kill -9`` of one site's worker: the others answer every request, and the site comes back."""
    victim = worker_of(embedded, THIRD)
    os.kill(victim, signal.SIGKILL)
    statuses = {embedded.browser(site).get("/").status for _ in range(20) for site in (FIRST, SECOND)}
    assert statuses == {200}
    wait_for(lambda: worker_of(embedded, THIRD) not in (0, victim), "a new worker")
    assert embedded.browser(THIRD).get("/").status == 200


def worker_of(embedded: Embedded, site: str) -> int:
    """Return the process id of a site's worker: its process that has no children; 0 when none is up."""
    for pid in children(embedded.emperor):
        try:
            if site_of(pid) == site and not children(pid):
                return pid
        except (FileNotFoundError, ProcessLookupError):
            continue
    return 0


def site_of(pid: int) -> str:
    """Return the site whose ini a uWSGI process was started with, from its command line."""
    with open(f"/proc/{pid}/cmdline") as file:
        words = file.read().split("\0")
    names = [word.rpartition("/")[2] for word in words if word.endswith(".ini")]
    return names[-1].removesuffix(".ini") if names else ""
