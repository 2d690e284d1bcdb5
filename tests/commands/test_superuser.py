"""multihost_superuser: a superuser gets a link by the site's own mail, and the others are told."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import include, path

from tests.commands.mail_server import HOST, MailServer, running_mail_server
from tests.identity.conftest import Become, become  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db

ADA, EMAIL = "ada@example.org", "--email=ada@example.org"
BASE = "https://aurora.example.org"


class WithAdmin:
    """URLs of a project that has Wagtail's admin."""

    @staticmethod
    def patterns() -> list[Any]:
        from wagtail.admin import urls

        return [path("admin/", include(urls))]


@pytest.fixture(name="mail")
def _mail(settings: Any, become: Become) -> Iterator[MailServer]:  # noqa: F811
    become()
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": WithAdmin.patterns()})
    settings.WAGTAILADMIN_BASE_URL = BASE
    processors = ("django.template.context_processors.request", "django.contrib.auth.context_processors.auth")
    engine = "django.template.backends.django.DjangoTemplates"
    settings.TEMPLATES = [{"BACKEND": engine, "APP_DIRS": True, "OPTIONS": {"context_processors": processors}}]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    settings.ALLOWED_HOSTS = ["aurora.example.org"]
    with running_mail_server() as server:
        if django.VERSION >= (6, 1):
            options = {"host": HOST, "port": server.port, "timeout": 5}
            settings.MAILERS = {
                "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
            }
        else:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = HOST, server.port, 5
        yield server


def use_backend(settings: Any, name: str) -> None:
    backend = f"django.core.mail.backends.{name}.EmailBackend"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


def run(*words: str) -> tuple[int, str]:
    """Return the exit code of the command and what it prints."""
    out = io.StringIO()
    try:
        call_command("multihost_superuser", "aurora", *words, stdout=out, stderr=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def link_in(text: str) -> str:
    found = re.search(rf"{re.escape(BASE)}(/admin/password_reset/\S+)", text)
    assert found, text
    return found[1]


def choose_password(link: str, password: str) -> bool:
    """Follow a link as a browser does; return whether a password was chosen."""
    client = Client(HTTP_HOST="aurora.example.org")
    page = client.get(link, follow=True, secure=True)
    if not page.context or not page.context.get("validlink"):
        return False
    values = {"new_password1": password, "new_password2": password}
    return client.post(page.redirect_chain[-1][0], values, secure=True).status_code == 302


def test_superuser_chooses_a_password_by_the_link_once(mail: MailServer) -> None:
    """The link is in the mail and nowhere else; nobody can sign in before, and it is good once."""
    model = get_user_model()
    model.objects.create_superuser("boss", "boss@example.org", "secret-enough-1")
    model.objects.create_user("editor", "editor@example.org", "secret-enough-1")
    code, text = run(EMAIL)
    assert (code, "://" in text) == (0, False)
    user = model.objects.get(email=ADA)
    assert (user.is_superuser, user.is_staff, user.is_active, user.has_usable_password()) == (True, True, True, False)
    (sent,) = mail.to(ADA)
    (told,) = mail.to("boss@example.org")
    assert mail.to("editor@example.org") == []
    assert "ada@example.org" in told["Subject"]
    assert "password_reset" not in told.get_content()
    link = link_in(sent.get_content())
    assert choose_password(link, "a-long-new-password-1")
    assert not choose_password(link, "another-long-password-2")
    user.refresh_from_db()
    assert user.check_password("a-long-new-password-1")


def test_superuser_that_is_there_gets_another_link(mail: MailServer) -> None:
    user = get_user_model().objects.create_superuser("ada", ADA.upper(), "secret-enough-1")
    assert run(EMAIL) == (
        0,
        f"The superuser {ADA} was there already.\nA link to choose a password was sent to {ADA}.\n",
    )
    assert get_user_model().objects.get() == user
    assert len(mail.to(ADA)) == 1


@pytest.mark.parametrize("change", [{"is_superuser": False}, {"is_active": False}])
def test_other_account_is_not_made_a_superuser(mail: MailServer, change: dict[str, bool]) -> None:
    """Who knows its password would be one at once."""
    get_user_model().objects.create_superuser("ada", ADA, "secret-enough-1")
    get_user_model().objects.update(**change)
    code, text = run(EMAIL)
    assert (code, "no active superuser" in text) == (2, True)
    assert mail.messages == []
    assert not get_user_model().objects.filter(is_superuser=True, is_active=True).exists()


@pytest.mark.parametrize("backend", ["console", "dummy", "filebased", "locmem"])
def test_link_is_not_sent_where_no_mail_is(mail: MailServer, settings: Any, backend: str) -> None:
    use_backend(settings, backend)
    code, text = run(EMAIL)
    assert (code, "The site sends no mail" in text, "password_reset" in text) == (2, True, False)
    assert not get_user_model().objects.exists()


def test_link_is_printed_to_who_asks_for_it_on_the_machine(mail: MailServer, settings: Any) -> None:
    use_backend(settings, "console")
    get_user_model().objects.create_superuser("boss", "boss@example.org", "secret-enough-1")
    code, text = run(EMAIL, "--print", "--json")
    assert (code, "were not told" in text) == (0, True)
    found = json.loads(text[text.index("{") :])
    assert choose_password(found["link"].removeprefix(BASE), "a-long-new-password-1")


def test_mail_that_is_not_taken_changes_nothing(mail: MailServer) -> None:
    """Neither is the superuser there nor does anyone else get the link."""
    mail.refused = "ada"
    code, text = run(EMAIL)
    assert (code, "did not take the mail" in text, "no such mailbox" in text) == (2, True, False)
    assert not get_user_model().objects.exists()


def test_site_without_the_page_is_refused(mail: MailServer, settings: Any) -> None:
    settings.WAGTAIL_PASSWORD_MANAGEMENT_ENABLED = False
    assert run(EMAIL)[0] == 2
    del settings.WAGTAIL_PASSWORD_MANAGEMENT_ENABLED
    settings.ROOT_URLCONF = "tests.urls"
    code, text = run(EMAIL)
    assert (code, "no page on which a password is chosen" in text) == (2, True)
    assert not get_user_model().objects.exists()
    assert mail.messages == []


@pytest.mark.parametrize("email", ["ada", "ada@example.org\nBcc: eve@example.org", "", "--print"])
def test_what_is_no_address_is_refused(mail: MailServer, email: str) -> None:
    assert run(f"--email={email}")[0] == 2
    assert mail.messages == []
