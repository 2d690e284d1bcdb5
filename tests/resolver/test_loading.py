"""What the resolver loads: every process of every site pays for it, at every start and reload."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import resolver
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.mail import MailSpec

ON_DEMAND = ("csp", "frontend", "inert", "logs", "mail", "tasks")
VARNISH = FrontendCacheSpec(backend="http", location="http://varnish")


@pytest.fixture(autouse=True)
def _unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the modules that are loaded on demand, for the time of a test, of a Django that need not be there."""
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(VERSION=(5, 2, 0, "final", 0)))
    for name in ON_DEMAND:
        module = importlib.import_module(f"wagtail_multihost.resolver.{name}")
        monkeypatch.setattr(resolver, name, module)
        monkeypatch.delitem(sys.modules, module.__name__)


def loaded() -> list[str]:
    return [name for name in ON_DEMAND if f"wagtail_multihost.resolver.{name}" in sys.modules]


@pytest.mark.parametrize(
    ("project", "site", "expected"),
    [
        ({}, {}, []),
        ({"DEBUG": True, "CACHES": {}}, {}, []),
        ({}, {"mail": MailSpec(backend="console")}, ["mail"]),
        ({"EMAIL_FILE_PATH": ""}, {}, ["mail"]),
        ({"MAILERS": {}}, {}, ["mail"]),
        ({"SECURE_CSP": {"img-src": ["a"]}}, {}, ["csp"]),
        ({"SECURE_CSP_REPORT_ONLY": {"img-src": ["a"]}}, {}, ["csp"]),
        ({"SECURE_CSP": {}, "SECURE_CSP_REPORT_ONLY": {}}, {}, []),
        ({}, {"frontend": VARNISH}, ["frontend"]),
        ({"WAGTAILFRONTENDCACHE": {}}, {}, ["frontend"]),
        ({"WAGTAILFRONTENDCACHE_LOCATION": None}, {}, ["frontend"]),
        ({"TASKS": {"default": {"BACKEND": "x"}}}, {}, ["tasks"]),
        ({"TASKS": {}}, {}, []),
        ({"LOGGING": {"version": 1}}, {}, ["logs"]),
        ({"LOGGING": {}}, {}, []),
    ],
)
def test_modules_are_loaded_where_they_set_something(
    project: dict[str, Any], site: dict[str, Any], expected: list[str]
) -> None:
    """A site and a project without mail, policies, caches in front, tasks or logs do without them."""
    assert list(ResolvedSettings(a_platform(), a_site(**site)).settings(project))
    assert loaded() == expected


def test_process_without_a_site_loads_what_has_none() -> None:
    """Build mode has values of its own, and nothing of a site's."""
    assert list(ResolvedSettings().settings({"TASKS": {"default": {"BACKEND": "x"}}, "MAILERS": {}}))
    assert list(ResolvedSettings(platform=a_platform()).settings({}))
    assert loaded() == ["inert"]


def test_test_run_has_the_projects_own_tasks(tmp_path: Any) -> None:
    """Its tasks say of no site whose they are."""
    resolved = ResolvedSettings(a_platform(data=tmp_path), a_site(), tmp_path)
    names = [setting.name for setting in resolved.settings({"TASKS": {"default": {"BACKEND": "x"}}})]
    assert "TASKS" not in names and names.count("DATABASES") == 1
    assert loaded() == ["inert"]
