"""What Django makes of the settings, in a process of a site whose project shares everything that it can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django import VERSION

from tests.spec.samples import PLATFORM_KEY

REGISTRY = f"""
[platform]
name = "aviary"
secret_key = "{PLATFORM_KEY}"
[sites.aurora]
hostnames = ["aurora.example.org"]
admins = ["ops@aurora.example.org"]
mail = {{ host = "mail.internal", port = 2525, username = "aurora", password = "hidden", security = "tls" }}
[sites.aurora.storage]
backend = "s3"
domain = "media.aurora.example.org"
"""
SETTINGS = """
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages"]
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_COOKIE_DOMAIN = CSRF_COOKIE_DOMAIN = LANGUAGE_COOKIE_DOMAIN = ".example.org"
EMAIL_HOST = EMAIL_HOST_USER = EMAIL_HOST_PASSWORD = "shared"
ADMINS = ["shared@example.com"]
SECURE_SSL_HOST = "shared.example.com"
SECURE_HSTS_SECONDS = 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_CSP = {"default-src": ["'self'"]}
from wagtail_multihost.resolver import resolve
resolve("sites.toml").apply(globals())
"""
PROGRAM = """
import json, warnings
import django
django.setup()
from django.conf import settings
from django.contrib import messages
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import mail
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory
from django.views.i18n import set_language

def view(request):
    get_token(request)
    messages.info(request, "saved")
    return HttpResponse()

layers = CsrfViewMiddleware(SessionMiddleware(MessageMiddleware(SecurityMiddleware(view))))
request = RequestFactory().get("/", secure=True, headers={"host": "aurora.example.org"})
response = layers(request)
if django.VERSION >= (6, 0):
    from django.middleware.csp import ContentSecurityPolicyMiddleware
    response = ContentSecurityPolicyMiddleware(lambda request: response)(request)
warnings.simplefilter("ignore")
connection = mail.mailers.default if hasattr(settings, "MAILERS") else mail.get_connection()
print(json.dumps({
    "cookies": {name: [own["path"], own["domain"], own["secure"]] for name, own in response.cookies.items()},
    "hsts": response["Strict-Transport-Security"],
    "csp": response.get("Content-Security-Policy"),
    "mail": [connection.host, connection.port, connection.username, connection.password, connection.use_ssl],
    "upload": TemporaryUploadedFile("a", "text/plain", 1, "utf-8").temporary_file_path(),
    "session": request.session._key_to_file(),
    "admins": settings.ADMINS,
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("aurora")
    (folder / "sites.toml").write_text(REGISTRY)
    (folder / "shared_settings.py").write_text(SETTINGS)
    environ = {
        "MULTIHOST_SITE": "aurora",
        "DJANGO_SETTINGS_MODULE": "shared_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        "PYTHONWARNINGS": "error",
    }
    command = [sys.executable, "-c", PROGRAM]
    result = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return {**json.loads(result.stdout), "folder": folder}


def test_cookies_that_django_sends_are_bound_to_the_host(seen: dict[str, Any]) -> None:
    """Each has __Host- and what browsers ask of it, and messages are in none."""
    own = ["/", "", True]
    assert seen["cookies"] == {"__Host-sessionid_aurora": own, "__Host-csrftoken_aurora": own}


def test_mail_goes_to_the_sites_server(seen: dict[str, Any]) -> None:
    """Host, account and encryption are the site's, and Django finds no mix of old and new settings."""
    assert seen["mail"] == ["mail.internal", 2525, "aurora", "hidden", True]


def test_error_reports_go_to_the_sites_admins(seen: dict[str, Any]) -> None:
    """Admins have the form that this Django reads without a warning."""
    address = "ops@aurora.example.org"
    assert seen["admins"] == ([address] if VERSION >= (6, 0) else [[address, address]])


def test_https_is_asked_of_the_host_alone(seen: dict[str, Any]) -> None:
    """No name below the site's is forced to https."""
    assert seen["hsts"] == "max-age=3600"


def test_files_of_a_visit_are_the_sites(seen: dict[str, Any]) -> None:
    """Uploads on their way and sessions are in the site's folder."""
    own = Path(seen["folder"], "data/sites/aurora")
    assert Path(seen["upload"]).parent == own / "tmp"
    assert Path(seen["session"]).parent == own / "sessions"


if VERSION >= (6, 0):  # Django has policies since 6.0

    def test_policy_lets_the_sites_media_in(seen: dict[str, Any]) -> None:
        """The header names the site's own media host, and no other."""
        cdn = "https://media.aurora.example.org"
        assert seen["csp"] == f"default-src 'self'; img-src 'self' {cdn}; media-src 'self' {cdn}"


SETUP = """
import os, tempfile, django
before = dict(os.environ)
django.setup()
assert "TMPDIR" not in os.environ, "written"
assert {name for name in os.environ if name not in before} <= {"TZ"}, "written"
with tempfile.NamedTemporaryFile() as file:
    print(file.name)
"""


def test_temporary_files_of_every_library_are_the_sites(tmp_path: Path) -> None:
    """After Django's setup Python's own temporary files are in the site's folder, without a variable written."""
    (tmp_path / "sites.toml").write_text(
        f'[platform]\nname = "aviary"\nsecret_key = "{PLATFORM_KEY}"\n[sites.aurora]\nhostnames = ["a.example"]\n'
    )
    (tmp_path / "site_settings.py").write_text(
        'INSTALLED_APPS = ["wagtail_multihost"]\n'
        "from wagtail_multihost.resolver import resolve\n"
        f"resolve({str(tmp_path / 'sites.toml')!r}).apply(globals())\n"
    )
    environ = {"MULTIHOST_SITE": "aurora", "DJANGO_SETTINGS_MODULE": "site_settings"}
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    result = subprocess.run(
        [sys.executable, "-c", SETUP], env={**environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path}/data/sites/aurora/tmp/")
