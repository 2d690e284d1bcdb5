"""Each system check fires, and is quiet when there is nothing to say."""

from __future__ import annotations

from typing import Any

import pytest
from django import VERSION
from django.conf import settings as django_settings
from django.core import mail
from django.core.checks import run_checks

from wagtail_multihost import running
from wagtail_multihost.checks import applied as checks
from wagtail_multihost.running import Running

MIDDLEWARE = checks.MIDDLEWARE


def ids() -> list[str]:
    """Return the ids of all messages of the package's checks, without their common prefix."""
    # Django 6.1 takes None for all databases.
    found = run_checks(tags=[checks.TAG], databases=[])
    return [str(message.id).removeprefix("wagtail_multihost.") for message in found]


def applied(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Make the last ``apply`` one that has set ``values``."""
    monkeypatch.setattr(running, "_current", Running(values=values))


def test_checks_are_registered_and_quiet_on_a_sound_project() -> None:
    """A project as the README says has no message, under Django's test runner too."""
    assert ids() == []


@pytest.mark.parametrize("names", [[], ["django.middleware.common.CommonMiddleware", MIDDLEWARE]])
def test_middleware_that_is_not_first_is_e001(settings: Any, names: list[str]) -> None:
    """The health middleware is missing or behind another one."""
    settings.MIDDLEWARE = names
    assert ids() == ["E001"]


def test_middleware_may_be_a_tuple(settings: Any) -> None:
    """Django takes any sequence, and so does the check."""
    settings.MIDDLEWARE = (MIDDLEWARE,)
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("SECRET_KEY", "the site's own", "set again"),
        ("SESSION_COOKIE_DOMAIN", None, ".example.org"),
        ("SECRET_KEY_FALLBACKS", [], ["old"]),
        ("CACHES", {"default": {"KEY_PREFIX": "a"}}, {"default": {"KEY_PREFIX": "b"}}),
        ("CACHES", {"default": {"KEY_PREFIX": "a"}}, {"default": {}}),
        ("CACHES", {"default": {}}, {"default": {}, "other": {}}),
        ("CACHES", {"default": {}, "other": {}}, {"default": {}}),
        ("CACHES", {"default": {"OPTIONS": {"a": 1}}}, {"default": {"OPTIONS": {"a": 2}}}),
        ("CACHES", {"default": {}}, None),
        ("CACHES", {"default": {}}, {"default": None}),
        ("CACHES", {"default": None}, {"default": {}}),
        ("X_WORD", "a", {"a": "b"}),
    ],
)
def test_setting_that_was_set_again_is_e002(
    monkeypatch: pytest.MonkeyPatch, name: str, was: object, now: object
) -> None:
    """A setting that is not what apply made it is reported by name, and its value is not shown."""
    applied(monkeypatch, **{name: was})
    with monkeypatch.context() as patch:
        patch.setattr("django.conf.settings._wrapped", Overlay({name: now}, django_settings._wrapped))
        (message,) = checks.check_applied(None)
    assert message.id == "wagtail_multihost.E002"
    assert name in message.msg and "set again'" not in message.msg and "the site's own" not in message.msg


class Overlay:
    """Settings with some values on top, without telling Django that they changed."""

    def __init__(self, values: dict[str, object], below: object) -> None:
        self.values, self.below = values, below

    def __getattr__(self, name: str) -> object:
        return self.values[name] if name in self.values else getattr(self.below, name)


def test_setting_that_gained_defaults_is_quiet(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Django fills tables with its defaults; that is no change."""
    applied(monkeypatch, CACHES={"default": {"KEY_PREFIX": "a"}}, X_TABLE={})
    settings.CACHES = {"default": {"KEY_PREFIX": "a", "TIMEOUT": 300}}
    settings.X_TABLE = {}
    assert checks.check_applied(None) == []


def test_setting_that_is_gone_is_e002(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that no module has any more was lost after apply."""
    applied(monkeypatch, X_GONE="x", X_ALSO_GONE="y")
    assert [message.msg.split()[0] for message in checks.check_applied(None)] == ["X_ALSO_GONE", "X_GONE"]


@pytest.mark.parametrize(("has_outbox", "found"), [(True, []), (False, ["E002"])])
@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("ALLOWED_HOSTS", ["aurora.example.org"], ["aurora.example.org", "testserver"]),
        ("DATABASES", {"default": {"NAME": "a"}}, {"default": {"NAME": "test_a"}}),
        # Reading it is deprecated where Django has MAILERS, and the resolver does not set it there.
        *([("EMAIL_BACKEND", "smtp.EmailBackend", "locmem.EmailBackend")] if VERSION < (6, 1) else []),
        ("MAILERS", {"default": {"BACKEND": "smtp"}}, {"default": {"BACKEND": "locmem"}}),
    ],
)
def test_what_the_test_runner_sets_is_quiet_under_it_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, was: object, now: object, has_outbox: bool, found: list[str]
) -> None:
    """Django's test runner adds a host and renames the database; in another process that is a mistake."""
    applied(monkeypatch, **{name: was})
    if not has_outbox:
        monkeypatch.delattr(mail, "outbox")
    with monkeypatch.context() as patch:
        patch.setattr("django.conf.settings._wrapped", Overlay({name: now}, django_settings._wrapped))
        ids = [str(message.id).removeprefix("wagtail_multihost.") for message in checks.check_applied(None)]
    assert ids == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", ["*"]),
        ("ALLOWED_HOSTS", ["aurora.example.org", ".example.org"]),
        ("CSRF_TRUSTED_ORIGINS", ["https://*.example.org"]),
    ],
)
def test_wildcard_is_e003(monkeypatch: pytest.MonkeyPatch, settings: Any, name: str, value: list[str]) -> None:
    """A wildcard among hosts would let other sites' hosts in."""
    applied(monkeypatch)
    setattr(settings, name, value)
    assert ids() == ["E003"]


@pytest.mark.parametrize("engine", ["django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis"])
def test_postgresql_without_its_app_is_e004(monkeypatch: pytest.MonkeyPatch, settings: Any, engine: str) -> None:
    """Wagtail's search on PostgreSQL needs django.contrib.postgres."""
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", engine)
    assert [message.id for message in checks.check_postgres(None)] == ["wagtail_multihost.E004"]
    monkeypatch.setattr(checks.apps, "is_installed", lambda name: name == "django.contrib.postgres")
    assert checks.check_postgres(None) == []


def test_database_that_is_none_of_postgresql_is_quiet(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Another engine, and a project that states no database, need no lookups of PostgreSQL."""
    monkeypatch.setattr(checks.apps, "is_installed", lambda name: False)
    assert checks.check_postgres(None) == []
    monkeypatch.setattr(checks, "settings", type("Settings", (), {"DATABASES": {}}))
    assert checks.check_postgres(None) == []


def test_no_apply_at_all_is_e005(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that never calls apply is told so."""
    monkeypatch.setattr(running, "_current", None)
    assert ids() == ["E005"]
