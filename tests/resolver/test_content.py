"""Names, language, time, mail senders and search."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.content import content_settings

ELASTIC = "wagtail.search.backends.elasticsearch8"


def test_content_settings_are_derived_where_the_site_states_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site without settings of its own has its id for a name and its hostname in mail addresses."""
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(6, 1, 0, "final", 0)))
    assert values_of(content_settings(a_site(id="north-wind"), {})) == {
        "WAGTAIL_SITE_NAME": "North Wind",
        "DEFAULT_FROM_EMAIL": "webmaster@aurora.example.org",
        "SERVER_EMAIL": "root@aurora.example.org",
        "EMAIL_SUBJECT_PREFIX": "[North Wind] ",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": False,
        "SECURE_HSTS_PRELOAD": False,
    }


def test_content_settings_of_the_site_are_stronger_than_the_projects() -> None:
    """What the site states goes before what the project has; the rest of the project's stays."""
    site = a_site(
        settings=(("WAGTAIL_SITE_NAME", "Aurora"), ("TIME_ZONE", "Europe/Berlin"), ("WAGTAIL_I18N_ENABLED", True)),
        sources={"settings.TIME_ZONE": "sites.toml: sites.aurora.settings.TIME_ZONE"},
    )
    project: dict[str, object] = {"TIME_ZONE": "UTC", "LANGUAGE_CODE": "de", "WAGTAIL_SITE_NAME": "Shared"}
    settings = {setting.name: setting for setting in content_settings(site, project)}
    assert (settings["WAGTAIL_SITE_NAME"].value, settings["WAGTAIL_I18N_ENABLED"].value) == ("Aurora", True)
    assert (settings["TIME_ZONE"].value, settings["LANGUAGE_CODE"].value) == ("Europe/Berlin", "de")
    assert settings["TIME_ZONE"].source == "sites.toml: sites.aurora.settings.TIME_ZONE"


def test_search_backends_outside_the_database_have_the_sites_prefix() -> None:
    """Every search server's alias gets an index prefix of the site; the database backend needs none."""
    project: dict[str, Any] = {
        "WAGTAILSEARCH_BACKENDS": {
            "default": {"BACKEND": ELASTIC, "INDEX": "shared", "URLS": ["http://search"]},
            "Other": {"BACKEND": ELASTIC, "INDEX_PREFIX": "shared_", "TIMEOUT": None},
            "database": {"BACKEND": "wagtail.search.backends.database", "SEARCH_CONFIG": "english"},
            "same": {"BACKEND": "modelsearch.backends.database"},
        }
    }
    assert values_of(content_settings(a_site(), project))["WAGTAILSEARCH_BACKENDS"] == {
        "default": {"BACKEND": ELASTIC, "URLS": ["http://search"], "INDEX_PREFIX": "aviary_aurora_"},
        "Other": {"BACKEND": ELASTIC, "INDEX_PREFIX": "aviary_aurora_other_", "TIMEOUT": 10},
        "database": {"BACKEND": "wagtail.search.backends.database", "SEARCH_CONFIG": "english"},
        "same": {"BACKEND": "modelsearch.backends.database"},
    }
    assert project["WAGTAILSEARCH_BACKENDS"]["default"]["INDEX"] == "shared"


def test_search_alias_that_no_index_can_be_named_after_is_refused() -> None:
    """An alias with other characters than those of an index's name is an error that names it."""
    with pytest.raises(ConfigurationError) as refused:
        values_of(content_settings(a_site(), {"WAGTAILSEARCH_BACKENDS": {"a b": {"BACKEND": ELASTIC}}}))
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        ("WAGTAILSEARCH_BACKENDS", "aurora")
    ]


def test_senders_are_the_sites_own() -> None:
    """Notifications have the site's sender where the project has one for all, and subjects the site's name."""
    project: dict[str, object] = {
        "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "all@example.com",
        "DEFAULT_FROM_EMAIL": "all@example.com",
        "SERVER_EMAIL": "all@example.com",
        "EMAIL_SUBJECT_PREFIX": "[All] ",
    }
    own = (("WAGTAIL_SITE_NAME", "Aurora"), ("DEFAULT_FROM_EMAIL", "post@aurora.example.org"))
    values = values_of(content_settings(a_site(settings=own), project))
    assert values["WAGTAILADMIN_NOTIFICATION_FROM_EMAIL"] == "post@aurora.example.org"
    assert values["EMAIL_SUBJECT_PREFIX"] == "[Aurora] "
    assert "all@example.com" not in values.values()


def test_hsts_of_names_below_is_the_sites_own_word() -> None:
    """The project's switch for all names below a host counts for no site; the site's own does."""
    project: dict[str, object] = {"SECURE_HSTS_INCLUDE_SUBDOMAINS": True, "SECURE_HSTS_PRELOAD": True}
    names = sorted(project)
    shared = values_of(content_settings(a_site(), project))
    assert [shared[name] for name in names] == [False, False]
    own = values_of(content_settings(a_site(settings=(("SECURE_HSTS_INCLUDE_SUBDOMAINS", True),)), project))
    assert [own[name] for name in names] == [True, False]


@pytest.mark.parametrize(
    ("version", "admins"),
    [
        ((5, 2, 0, "final", 0), [("ops@aurora.example.org", "ops@aurora.example.org")]),
        ((6, 0, 0, "final", 0), ["ops@aurora.example.org"]),
        ((6, 1, 3, "final", 0), ["ops@aurora.example.org"]),
    ],
)
def test_admins_are_the_sites_own_in_the_form_of_their_django(
    version: tuple[object, ...], admins: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Error reports go to the site's admins; a site without any leaves the project's."""
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=version))
    values = values_of(content_settings(a_site(admins=("ops@aurora.example.org",)), {"ADMINS": ["all@example.com"]}))
    assert (values["ADMINS"], values["MANAGERS"]) == (admins, admins)
    assert "ADMINS" not in values_of(content_settings(a_site(), {"ADMINS": ["all@example.com"]}))
