"""Settings of the project's own in a settings module, and what is shown of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import ResolvedSettings, resolve
from wagtail_multihost.resolver.explain import explain, site_facts
from wagtail_multihost.resolver.inert import build_settings
from wagtail_multihost.resolver.setting import ABSENT
from wagtail_multihost.spec.project_settings import parse_setting_name
from wagtail_multihost.spec.secret import Secret

HIDDEN = "hunter7-hunter7"
VALUES = (
    ("MAPS", Secret(HIDDEN)),
    ("FEE", Decimal("1.50")),
    ("SEATS", 7),
    ("HAS_SHOP", False),
    ("CURRENCIES", ("EUR", "CHF")),
    ("MOTTO", ""),
)
EVERY_KEY = Path(__file__).parents[2] / "docs/examples/every-key.toml"


@pytest.fixture(name="resolved")
def _resolved(tmp_path: Path) -> ResolvedSettings:
    site = a_site(
        project_settings=VALUES,
        env=(("NEW_RELIC", "Aurora"),),
        sources={"project_settings.FEE": "sites.toml: x", "env.NEW_RELIC": "sites.toml: y"},
    )
    return ResolvedSettings(a_platform(data=tmp_path), site)


def test_a_settings_module_has_them_in_the_clear(resolved: ResolvedSettings) -> None:
    """Each is what the project reads, over what its settings module stated; nothing is added to the environment."""
    namespace: dict[str, object] = {"MAPS": "", "SEATS": None}
    resolved.overlay(namespace)
    found = {name: namespace[name] for name, _ in VALUES}
    assert found == {**dict(VALUES), "MAPS": HIDDEN, "CURRENCIES": ["EUR", "CHF"]}
    assert "NEW_RELIC" not in namespace


def test_a_list_is_a_new_one_each_time(resolved: ResolvedSettings) -> None:
    """A project that changes it changes no other process's site."""
    value = resolved.value("CURRENCIES")
    assert isinstance(value, list)
    value.append("x")
    assert resolved.value("CURRENCIES") == ["EUR", "CHF"]


def test_explain_masks_a_secret_whatever_it_is_called(resolved: ResolvedSettings) -> None:
    """Its value, and what the project had in its place, are secrets by declaration and not by their names."""
    rows = {row["name"]: row for row in explain(resolved, {"MAPS": "project-hunter8", "FEE": Decimal(2)})}
    shown = json.dumps(list(rows.values()))
    assert HIDDEN not in shown
    assert "project-hunter8" not in shown
    assert (rows["MAPS"]["value"], rows["MAPS"]["overrode"]) == ("***", "***")
    assert (rows["FEE"]["value"], rows["FEE"]["overrode"], rows["FEE"]["source"]) == ("1.50", "2", "sites.toml: x")


def test_facts_have_the_variables_of_the_processes(resolved: ResolvedSettings) -> None:
    """They are no settings, so what the site is started with is said among the facts."""
    [fact] = [row for row in site_facts(resolved) if row["name"] == "env.NEW_RELIC"]
    assert (fact["value"], fact["source"]) == ("Aurora", "sites.toml: y")


def test_build_mode_has_what_the_project_states() -> None:
    """No registry is opened there, so the placeholder of the settings module stays."""
    namespace: dict[str, object] = {"MAPS": "placeholder"}
    resolve(environ={}).overlay(namespace)
    assert namespace["MAPS"] == "placeholder"


def test_no_setting_of_the_resolver_can_be_declared() -> None:
    """What this package sets in any process is refused as a name of the project's own."""
    contents = open_registry(EVERY_KEY, {}).load()
    project = {
        "TIME_ZONE": "UTC",
        "LOGGING": {"version": 1},
        "WAGTAILSEARCH_BACKENDS": {"default": {"BACKEND": "wagtail.search.backends.database"}},
        "CACHE_MIDDLEWARE_KEY_PREFIX": "",
        "SECURE_CSP": {"img-src": ["'self'"]},
        "SESSION_ENGINE": "django.contrib.sessions.backends.file",
        "TASKS": {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}},
        "EMAIL_FILE_PATH": "/srv/mail",
        "WAGTAILAPI_BASE_URL": "https://example.org",
    }
    found = {setting.name for setting in build_settings(project)}
    for site in contents.sites:
        own = {name for name, _ in site.project_settings}
        settings = ResolvedSettings(contents.platform, site).settings(project)
        found |= {setting.name for setting in settings if setting.value is not ABSENT} - own
    assert {"DATABASES", "SESSION_COOKIE_NAME", "SECURE_PROXY_SSL_HEADER", "FILE_UPLOAD_TEMP_DIR"} <= found
    for name in found:
        with pytest.raises(ValueError, match=name):
            parse_setting_name(name)
