"""Names, language, time, mail senders and search."""

from __future__ import annotations

from typing import Any

from tests.resolver.conftest import values_of
from tests.spec.samples import a_site
from wagtail_multihost.resolver.content import content_settings

ELASTIC = "wagtail.search.backends.elasticsearch8"


def test_content_settings_are_derived_where_the_site_states_none() -> None:
    """A site without settings of its own has its id for a name and its hostname in mail addresses."""
    assert values_of(content_settings(a_site(id="north-wind"), {})) == {
        "WAGTAIL_SITE_NAME": "North Wind",
        "DEFAULT_FROM_EMAIL": "webmaster@aurora.example.org",
        "SERVER_EMAIL": "root@aurora.example.org",
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
            "Other": {"BACKEND": ELASTIC, "INDEX_PREFIX": "shared_"},
            "database": {"BACKEND": "wagtail.search.backends.database", "SEARCH_CONFIG": "english"},
        }
    }
    assert values_of(content_settings(a_site(), project))["WAGTAILSEARCH_BACKENDS"] == {
        "default": {"BACKEND": ELASTIC, "URLS": ["http://search"], "INDEX_PREFIX": "aviary_aurora_"},
        "Other": {"BACKEND": ELASTIC, "INDEX_PREFIX": "aviary_aurora_other_"},
        "database": {"BACKEND": "wagtail.search.backends.database", "SEARCH_CONFIG": "english"},
    }
    assert project["WAGTAILSEARCH_BACKENDS"]["default"]["INDEX"] == "shared"
