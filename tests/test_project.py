"""The project, as its settings describe it to what is emitted and checked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wagtail_multihost import running
from wagtail_multihost.project import (
    default_wsgi,
    own_codebase,
    own_transport,
    package_parent,
    project_settings,
    static_files,
)
from wagtail_multihost.running import Running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, one without __init__.py, and a module of its own, on the import path."""
    for name in ("packaged_site/__init__.py", "bare_site/settings.py", "single_settings.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.mark.parametrize("module", ["packaged_site.settings", "packaged_site", "bare_site.settings", "single_settings"])
def test_folder_of_settings_is_found(folder: Path, module: str) -> None:
    """Whatever kind of module the settings are, it is the folder that the import path has."""
    assert package_parent(module) == folder


def test_folder_of_missing_settings_is_the_working_directory() -> None:
    """Where there is no such module nothing is looked for."""
    assert package_parent("no_such_site.settings") == Path.cwd()


def test_settings_of_the_project_are_those_before_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that never applies has none to tell."""
    monkeypatch.setattr(running, "_current", Running(project={"STATIC_URL": "/of-project/"}))
    assert project_settings() == {"STATIC_URL": "/of-project/"}
    monkeypatch.setattr(running, "_current", None)
    assert project_settings() == {}


def test_static_files_are_a_folder_of_nobodys(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its path is absolute, and a project without one protects none."""
    monkeypatch.chdir(tmp_path)
    settings.STATIC_ROOT = "static"
    assert static_files() == [("folder of static files", tmp_path / "static")]
    settings.STATIC_ROOT = None
    assert static_files() == []


def test_codebase_is_what_the_settings_describe(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each part comes from the setting that says it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "_current", Running(project={"MEDIA_URL": "/files/"}))
    settings.STATIC_ROOT, settings.STATIC_URL = "static", "/assets/"
    settings.MULTIHOST_HEALTH = {"PREFIX": "/ops/"}
    settings.WSGI_APPLICATION = "street.wsgi.app"
    settings.SETTINGS_MODULE = "no_such_site.settings.production"
    found = own_codebase()
    assert (found.directory, found.virtualenv) == (tmp_path, Path(sys.prefix))
    assert (found.wsgi, found.settings_module) == ("street.wsgi:app", "no_such_site.settings.production")
    assert (found.static_root, found.static_url) == (tmp_path / "static", "/assets/")
    assert (found.media_url, found.health_prefix) == ("/files/", "/ops/")
    assert found.pythonpath == ()


DJANGO_PAGES, WAGTAIL_PAGES = (
    f"{name}.UpdateCacheMiddleware" for name in ("django.middleware.cache", "wagtailcache.cache")
)


@pytest.mark.parametrize(
    ("middleware", "caches", "seconds"),
    [
        ([], {}, 0),
        ([DJANGO_PAGES], {"default": {"TIMEOUT": 7}}, 900),
        ([WAGTAIL_PAGES], {}, 300),
        ([WAGTAIL_PAGES], {"default": {"TIMEOUT": 7}, "pages": {"TIMEOUT": 14400}}, 14400),
        ([WAGTAIL_PAGES], {"pages": {"TIMEOUT": None}}, 315_360_000),
        ([DJANGO_PAGES, WAGTAIL_PAGES], {"pages": {"TIMEOUT": 60}}, 900),
    ],
)
def test_codebase_says_how_long_the_project_keeps_pages(
    settings: Any, monkeypatch: pytest.MonkeyPatch, middleware: list[str], caches: dict[str, object], seconds: int
) -> None:
    """Django's middleware goes by its own setting, wagtail-cache by its cache's timeout; the longest counts."""
    monkeypatch.setattr(running, "_current", Running(project={"CACHES": caches}))
    settings.MIDDLEWARE, settings.CACHE_MIDDLEWARE_SECONDS = middleware, 900
    settings.WAGTAIL_CACHE_BACKEND = "pages"
    assert own_codebase().page_seconds == seconds


@pytest.mark.parametrize(
    ("storages", "common", "seconds"),
    [
        ({}, None, 3600),
        ({}, 60, 60),
        ({"default": {"OPTIONS": {"querystring_expire": 7200}}}, 60, 60),
        (
            {"default": {"OPTIONS": {"querystring_expire": 7200}}, "images": {"OPTIONS": {"bucket_name": "a"}}},
            9000,
            7200,
        ),
        ({alias: {"OPTIONS": {"querystring_expire": 7200}} for alias in ("default", "images")}, 60, 7200),
        ({"exports": {"OPTIONS": {"querystring_expire": 1}}}, None, 3600),
    ],
)
def test_codebase_says_how_long_signed_addresses_are_valid(
    settings: Any, monkeypatch: pytest.MonkeyPatch, storages: dict[str, object], common: int | None, seconds: int
) -> None:
    """It is the least of what the storages of uploads and of renditions have, by their options or the setting."""
    monkeypatch.setattr(running, "_current", Running(project={"STORAGES": storages}))
    settings.WAGTAILIMAGES_RENDITION_STORAGE = "images"
    if common is not None:
        settings.AWS_QUERYSTRING_EXPIRE = common
    assert own_codebase().signed_seconds == seconds


def test_codebase_leaves_out_what_another_server_has(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with an address of their own are not this platform's, and neither are those that have none."""
    monkeypatch.setattr(running, "_current", Running(project={"MEDIA_URL": "https://cdn/m/"}))
    settings.WSGI_APPLICATION = settings.STATIC_ROOT = None
    del settings.MULTIHOST_HEALTH
    for url in ("https://cdn.example.org/static/", None):
        settings.STATIC_URL = url
        settings.SETTINGS_MODULE = "no_such_site.settings"
        found = own_codebase()
        assert (found.static_root, found.static_url, found.media_url) == (None, None, None)
    assert (found.wsgi, found.health_prefix) == ("no_such_site.wsgi:application", "/-/")
    assert default_wsgi() == "no_such_site.wsgi.application"


def test_transport_is_what_the_settings_say(settings: Any) -> None:
    """What is not set is off, in the form of each."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS, settings.SECURE_PROXY_SSL_HEADER = 1, "3600", ("A", "b")
    assert own_transport() == (True, 3600, True)
    assert isinstance(own_transport().redirects, bool) and isinstance(own_transport().has_header, bool)
    settings.SECURE_SSL_REDIRECT = settings.SECURE_HSTS_SECONDS = settings.SECURE_PROXY_SSL_HEADER = None
    assert own_transport() == (False, 0, False)


def test_module_that_has_no_file_is_taken_for_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was made and not loaded has no place; the working folder is as good as any."""
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: SimpleNamespace(submodule_search_locations=None, origin=None) if name == "made" else None,
    )
    assert package_parent("made.settings") == package_parent("other.settings") == Path.cwd()
