"""The health report in Wagtail's admin: who sees it, and what it shows."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from tests.health.samples import SUBJECT, VERSION, Switch, Told, endpoint, report, sample
from wagtail_multihost.health import process
from wagtail_multihost.health.options import SETTING
from wagtail_multihost.health.probe import failed, passed, warned
from wagtail_multihost.health.report import Report

pytestmark = pytest.mark.django_db

URL = "/admin/reports/health/"
MENU = f'"{URL}"'
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": CONTEXT_PROCESSORS},
    }
]


@pytest.fixture(autouse=True)
def _project(settings: Any) -> None:
    """Have a project with the admin."""
    settings.ROOT_URLCONF = "tests.health.admin_urls"
    settings.TEMPLATES = TEMPLATES
    settings.WAGTAIL_SITE_NAME = "Aurora"
    settings.WAGTAILADMIN_BASE_URL = "http://testserver"
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False


def client_of(*codenames: str, **fields: object) -> Client:
    """Return the client of a user whose group has these permissions."""
    user = User.objects.create_user("someone", **fields)
    group = Group.objects.create(name="some")
    group.permissions.set(Permission.objects.filter(codename__in=codenames))
    user.groups.add(group)
    assert group.permissions.count() == len(codenames)
    client = Client()
    client.force_login(user)
    return client


def told(monkeypatch: pytest.MonkeyPatch, found: Report | None, *, draining: bool = False) -> None:
    """Make ``found`` the report of this process, which is that of the site aurora."""
    monkeypatch.setitem(process._own, SETTING, endpoint(Told(found), drain=Switch(draining)))


def test_user_with_the_permission_sees_the_own_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the site's probes in full, of what sites share only the codes, and of other sites nothing."""
    told(monkeypatch, report())
    response = client_of("access_admin", "view_health").get(URL)
    page = response.content.decode()
    assert response.status_code == 200
    assert all(text in page for text in ("aurora", "certificate", SUBJECT, "expires_soon", "memory", VERSION))
    assert not any(text in page for text in ("borealis", "corona", "behind", "temporary", "41.5"))
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("codenames", "fields"),
    [((), {}), (("access_admin",), {}), (("access_admin", "view_site"), {}), (("view_health",), {})],
)
def test_others_see_nothing(
    monkeypatch: pytest.MonkeyPatch, codenames: tuple[str, ...], fields: dict[str, object]
) -> None:
    """Without the permission, and without access to the admin, nobody is shown the page or its entry in the menu."""
    told(monkeypatch, report())
    client = client_of(*codenames, **fields)
    for query in ("", "?refresh=off"):
        response = client.get(f"{URL}{query}")
        assert response.status_code == 302
        assert not any(text in response.content.decode() for text in ("aurora", "certificate", "pass"))
        assert "Refresh" not in response.headers
    assert MENU not in client.get("/admin/", follow=True).content.decode()


def test_stranger_is_sent_to_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not signed in learns nothing, not even the word."""
    told(monkeypatch, report())
    response = Client().get(URL)
    assert (response.status_code, response.headers["Location"]) == (302, f"/admin/login/?next={URL}")


def test_no_report_is_made_for_those_who_may_not_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without the permission starts no probes."""
    source = Told(report())
    monkeypatch.setitem(process._own, SETTING, endpoint(source))
    client_of("access_admin").get(URL)
    assert source.asked == 0


def test_menu_names_the_report_for_those_who_may_see_it() -> None:
    """The entry is in the menu of reports, for a group with the permission and for superusers."""
    assert MENU in client_of("access_admin", "view_health").get("/admin/").content.decode()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert MENU in client.get("/admin/").content.decode()


def test_permission_is_offered_to_groups() -> None:
    """Whoever edits a group can give the permission to it."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert "Can view the health report" in client.get("/admin/groups/new/").content.decode()


def test_page_is_loaded_again_until_that_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The header makes browsers load it again; a link pauses that, and another goes on."""
    told(monkeypatch, report())
    client = client_of("access_admin", "view_health")
    running, paused = client.get(URL), client.get(f"{URL}?refresh=off")
    assert (running.headers["Refresh"], "Refresh" in paused.headers) == ("15", False)
    assert 'href="?refresh=off"' in running.content.decode()
    assert 'href="?"' in paused.content.decode()


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (sample("database", passed(), site="aurora"), "Pass"),
        (sample("database", warned("low"), site="aurora"), "Warn"),
        (sample("database", failed("error"), site="aurora"), "Fail"),
        (None, "Starting"),
    ],
)
def test_page_shows_every_word(monkeypatch: pytest.MonkeyPatch, found: Any, word: str) -> None:
    """Whatever the health is, the page is there and says it; and that the process drains."""
    told(monkeypatch, found and report(found, sites=("aurora",)), draining=True)
    response = client_of("access_admin", "view_health").get(URL)
    assert response.status_code == 200
    assert f"<strong>{word}</strong>" in response.content.decode()
    assert "This process is draining" in response.content.decode()


def test_names_of_a_probe_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a project's own probe says cannot become a part of the admin's page."""
    told(monkeypatch, report(sample("x", warned("low", subject="<script>alert(1)</script>"), site="aurora")))
    page = client_of("access_admin", "view_health").get(URL).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_page_is_only_read(method: str) -> None:
    """Nothing can be sent to it."""
    assert getattr(client_of("access_admin", "view_health"), method)(URL).status_code == 405


def test_projects_without_the_admin_load_none_of_it() -> None:
    """Hooks are found by the project with Wagtail alone, and import no admin; nor does the page for probes."""
    program = (
        "import sys; from django.conf import settings; import django;"
        "settings.configure(INSTALLED_APPS=['wagtail_multihost', 'wagtail', 'taggit', 'modelcluster',"
        " 'django.contrib.auth', 'django.contrib.contenttypes'], USE_TZ=True, STATIC_URL='/static/'); django.setup();"
        "from wagtail import hooks; assert hooks.get_hooks('register_reports_menu_item');"
        "import wagtail_multihost.health.middleware, wagtail_multihost.health.formats.page;"
        "sys.exit('wagtail_multihost.health.admin' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
