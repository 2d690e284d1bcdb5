"""The how-to about OpenID Connect and a second factor, done as it says: a project of its own, and a real provider."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.control.identity_provider import CLIENT, SECRET, Provider, running_provider
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from tests.servers.processes import free_port, running, wait_for
from tests.test_docs import DOCS, blocks
from tests.workspace import ROOT

HOW_TO = DOCS / "how-to" / "sign-in-with-openid-connect.md"
PROJECT = "control_project"
#: Where the project's own settings end and those of the how-to begin.
OWN_SETTINGS = """
import os

import django

from tests.control.settings import *

ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "control_project.urls"
WAGTAILADMIN_BASE_URL = f"http://localhost:{os.environ['PORT']}"
MFA_TOTP_TOLERANCE = 1  # so that the second code need not be waited for
if django.VERSION < (6, 1):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = os.environ["MAILS"]
else:
    BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    MAILERS = {"default": {"BACKEND": BACKEND, "OPTIONS": {"file_path": os.environ["MAILS"]}}}
DATABASES["default"].update(
    NAME="sign_in", HOST=os.environ["DATABASE_HOST"], PORT=os.environ["DATABASE_PORT"],
    USER=os.environ["DATABASE_USER"], PASSWORD=os.environ["DATABASE_PASSWORD"],
)
"""
OWN_URLS = "from tests.control.urls import urlpatterns\n"
PEOPLE = """
from django.contrib.auth.models import User
from tests.control.fleet import prepare_fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.invitations import invite

root = User.objects.create_superuser("root", "root@example.com", "secret-enough-1")
group = prepare_fleet().user("boss").groups.get()
invite(authority_of(root), group, "ada@example.com")
"""


@dataclass
class Site:
    """The control site as it is served, and the provider that it asks."""

    url: str
    provider: Provider
    manage: Any
    mails: Path


@pytest.fixture(name="site", scope="module")
def _site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("sign-in")
    (folder / PROJECT).mkdir()
    settings, module, urls = blocks(HOW_TO, "python")
    files = {"settings": OWN_SETTINGS + settings, "sign_in": module, "urls": OWN_URLS + urls, "__init__": ""}
    for name, text in files.items():
        (folder / PROJECT / f"{name}.py").write_text(text)
    postgres.execute(SUPERUSER, "CREATE DATABASE {}", "sign_in")
    port = free_port()
    with running_provider() as provider:
        environ = {
            **os.environ,
            "PYTHONPATH": f"{folder}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            "PORT": str(port),
            "MAILS": str(folder / "mails"),
            "DATABASE_HOST": HOST,
            "DATABASE_PORT": str(postgres.port),
            "DATABASE_USER": SUPERUSER,
            "DATABASE_PASSWORD": postgres.password,
            "OIDC_CLIENT": CLIENT,
            "OIDC_SECRET": SECRET,
            "OIDC_SERVER": provider.url,
        }

        def manage(*words: str) -> None:
            command = [sys.executable, "-m", "django", *words]
            done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr

        manage("check", "--fail-level", "WARNING")
        manage("migrate", "--verbosity", "0")
        manage("shell", "--no-imports", "--command", PEOPLE)
        serve = [sys.executable, "-m", "django", "runserver", "--noreload", "--insecure", f"localhost:{port}"]
        url = f"http://localhost:{port}"
        with running(serve, folder / "server.log", environ, folder):
            wait_for(lambda: answers(url), "the control site")
            yield Site(url, provider, manage, folder / "mails")


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/accounts/login/", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


class Browser(requests.Session):
    """Follows links and sends forms as a person's browser does."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site

    def open(self, path: str) -> requests.Response:
        return self.get(urljoin(self.site.url, path), timeout=30)

    def fill(self, page: requests.Response, path: str, **fields: str) -> requests.Response:
        """Send the page's form that leads to ``path``."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, page.text
        data = {"csrfmiddlewaretoken": token[1], **fields}
        return self.post(urljoin(page.url, path), data, headers={"Referer": page.url}, timeout=30)

    def sign_in_at_provider(self, page: requests.Response) -> requests.Response:
        """Choose the provider on a page where one signs in."""
        link = re.search(r'href="(/accounts/oidc/company/login/[^"]*)"', page.text)
        assert link, page.text
        return self.fill(self.open(unescape(link[1])), "")

    def set_up_second_factor(self, page: requests.Response) -> tuple[requests.Response, str]:
        """Scan the secret that the page has, and state the code; return the next page and the secret."""
        assert path_of(page) == "/accounts/2fa/totp/activate/", page.url
        secret = re.search(r'value="([A-Z2-7]{32})"', page.text)
        assert secret, page.text
        return self.fill(page, "", code=code_of(secret[1])), secret[1]


def path_of(page: requests.Response) -> str:
    return urlsplit(page.url).path


def code_of(secret: str, step: int = 0) -> str:
    """Return what an authenticator app shows (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def test_invited_person_signs_in_at_the_provider_with_a_second_factor(site: Site) -> None:
    browser = Browser(site)
    assert path_of(browser.open("/admin/")) == "/accounts/login/"
    (mail,) = site.mails.iterdir()
    text = message_from_bytes(mail.read_bytes(), policy=policy.default).get_content()
    link = re.search(r"http://localhost:\d+(/invitations/\S+/)", text)
    assert link
    page = browser.open(link[1])
    sign_in = re.search(r'href="(/accounts/login/\?next=[^"]+)"', page.text)
    assert sign_in, page.text
    page = browser.sign_in_at_provider(browser.open(unescape(sign_in[1])))
    page, secret = browser.set_up_second_factor(page)
    page = browser.open("/admin/")
    assert path_of(page) == "/accounts/login/", "An account alone does not enter the admin."
    page = browser.open(link[1])
    assert "Join people of boss?" in page.text
    assert path_of(browser.fill(page, "")) == "/admin/"

    again = Browser(site)
    page = again.sign_in_at_provider(again.open("/admin/"))
    assert path_of(page) == "/accounts/2fa/authenticate/"
    assert path_of(again.open("/admin/")) == "/accounts/login/", "The first factor alone does not sign in."
    page = again.sign_in_at_provider(again.open("/admin/"))
    page = again.fill(page, "", code="000000")
    assert path_of(page) == "/accounts/2fa/authenticate/"
    page = again.fill(page, "", code=code_of(secret, step=1))
    assert path_of(page) == "/admin/"


def test_password_needs_the_second_factor_too(site: Site) -> None:
    browser = Browser(site)
    page = browser.open("/admin/login/?next=/admin/reports/site-history/")
    assert path_of(page) == "/accounts/login/"
    assert "/admin/reports/site-history/" in page.url
    sent = {"username": "root", "password": "secret-enough-1"}
    browser.fill(page, f"{site.url}/admin/login/", **sent)
    assert path_of(browser.open("/admin/")) == "/accounts/login/", "Wagtail's own page signs nobody in."
    page = browser.fill(browser.open("/accounts/login/"), "", login="root", password="secret-enough-1")
    assert path_of(page) == "/accounts/2fa/totp/activate/"
    assert path_of(browser.open("/admin/users/")) == "/accounts/2fa/totp/activate/"
    browser.set_up_second_factor(browser.open("/admin/"))
    assert path_of(browser.open("/admin/users/")) == "/admin/users/"


def test_nobody_signs_up_without_the_provider(site: Site) -> None:
    page = Browser(site).open("/accounts/signup/")
    assert "<form" not in page.text or "Sign Up Closed" in page.text


def test_address_of_an_account_does_not_open_it(site: Site) -> None:
    """Whoever the provider says has a superuser's address is not that superuser."""
    person = dict(site.provider.person)
    site.provider.person.update(sub="99", preferred_username="mallory", email="root@example.com")
    try:
        page = Browser(site).sign_in_at_provider(Browser(site).open("/admin/"))
    finally:
        site.provider.person.update(person)
    assert path_of(page) == "/accounts/3rdparty/signup/"
