"""A process that becomes the process of a site later: a template's child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost import resolver, running
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import activate, resolve

PLATFORM_KEY = "a-platform-key-of-the-template-0123456789"
SETTINGS = """\
from pathlib import Path

from wagtail_multihost.resolver import resolve

INSTALLED_APPS = ["wagtail_multihost", "django.contrib.contenttypes"]
MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware"]
ROOT_URLCONF = "urls"
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"site": {"()": "wagtail_multihost.backends.log_filter.SiteFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["site"]}},
    "root": {"handlers": ["console"]},
}

resolve(Path(__file__).with_name("sites.toml"), command="template").apply(globals())
"""
REGISTRY = f"""\
[platform]
name = "aviary"
secret_key = "{PLATFORM_KEY}"
[sites.aurora]
hostnames = ["aurora.example.org"]
[sites.borealis]
hostnames = ["borealis.example.org"]
"""
# What a template's child does with Django's settings is its supervisor's; here it is what any has to do.
TEMPLATE = """\
import json, logging, os, sys, tempfile, traceback

import django
from django.conf import Settings, settings

os.environ["DJANGO_SETTINGS_MODULE"] = "settings_of_template"
django.setup()

from django.core.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory

from wagtail_multihost import running
from wagtail_multihost.backends import bucket_mark, generations
from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health import process
from wagtail_multihost.identity import deadline
from wagtail_multihost.resolver import activate, resolve

handler = WSGIHandler()
module = sys.modules["settings_of_template"]
default = tempfile.gettempdir()
watch = deadline._watch
bucket_mark._next[None, "bucket"] = float("inf")
generations._known["server", "prefix"] = generations.KnownGeneration("1", float("inf"))


def answer(path):
    environ = RequestFactory().get(path, HTTP_HOST="localhost").environ
    said = []
    body = b"".join(handler(environ, lambda status, headers: said.append(status)))
    return [said[0][:3], body.decode()[:20] if said[0][:3] != "500" else ""]


def facts():
    record = logging.LogRecord("a", logging.INFO, "", 0, "", (), None)
    logging.root.handlers[0].filters[0].filter(record)
    try:
        connection.ensure_connection()
        database = connection.settings_dict["NAME"]
    except BuildModeError:
        database = "refused"
    made = running.current()
    return {
        "id": running.own_id(),
        "service": process.own_endpoint().service,
        "temporary": "default" if tempfile.gettempdir() == default else tempfile.gettempdir(),
        "logged": record.site,
        "database": str(database),
        "key": settings.SECRET_KEY[:8],
        "resolved": resolve(made.registry, command="template").site and "site",
        "serves": made.serves,
        "trusted": len(bucket_mark._next) + len(generations._known),
        "waits": deadline._watch is watch,
        "live": answer("/-/live"),
        "ready": answer("/-/ready")[0],
    }


def child(site):
    running = activate(vars(module), environ={"MULTIHOST_SITE": site})
    assert running.site.id == site
    settings._wrapped = Settings("settings_of_template")
    return facts()


def forked(work):
    readable, writable = os.pipe()
    if os.fork() == 0:
        code = 1
        try:
            os.write(writable, json.dumps(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writable)
    with open(readable) as stream:
        told = stream.read()
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    return json.loads(told)


own = facts()
children = [forked(lambda: child(site)) for site in ("aurora", "borealis")]
print(json.dumps([own, *children, facts()]))
"""


@pytest.fixture(name="template")
def _template(tmp_path: Path) -> list[dict[str, Any]]:
    """What a template knows of itself, what each of two children does, and what it does afterwards."""
    files = {"settings_of_template.py": SETTINGS, "urls.py": "urlpatterns = []\n", "sites.toml": REGISTRY}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    inherited = {
        name: os.environ[name] for name in os.environ if not name.startswith(("PYTEST", "DJANGO", "MULTIHOST"))
    }
    completed = subprocess.run(
        [sys.executable, "-c", TEMPLATE],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    found: list[dict[str, Any]] = json.loads(completed.stdout.splitlines()[-1])
    return found


def test_children_of_a_template_are_each_their_own_sites(template: list[dict[str, Any]], tmp_path: Path) -> None:
    """Site, endpoint, temporary files, log lines, database and key are the child's, and the template has none."""
    own, aurora, borealis, after = template
    for site, found in {"aurora": aurora, "borealis": borealis}.items():
        assert (found["id"], found["service"], found["logged"]) == (site, site, site)
        for name in ("temporary", "database"):
            assert Path(found[name]).is_relative_to(tmp_path / "data" / "sites" / site), (name, found[name])
        assert (found["live"], found["ready"], found["serves"]) == (["200", "pass"], "503", True)
        assert (found["resolved"], found["trusted"], found["waits"]) == ("site", 0, False)
    assert len({found["key"] for found in template}) == 3
    assert own == after
    assert (own["id"], own["service"], own["logged"], own["temporary"]) == ("", "", "-", "default")
    assert (own["database"], own["resolved"], own["serves"]) == ("refused", None, False)
    assert (own["trusted"], own["waits"]) == (2, True)


def test_template_answers_no_request(template: list[dict[str, Any]]) -> None:
    """Its middleware is made, and refuses the first request and all others."""
    assert [template[0][name] for name in ("live", "ready")] == [["500", ""], "500"]


def namespace_of(registry: Path, **project: object) -> dict[str, object]:
    namespace = dict(project)
    resolve(registry, environ={}).apply(namespace)
    return namespace


def test_activation_starts_from_the_projects_settings(registry_file: Path) -> None:
    """What build mode has set is gone, and the rest is what a fresh process of the site has."""
    project: dict[str, object] = {"DEBUG": False, "CACHES": {"default": {"BACKEND": "x"}, "other": {"BACKEND": "y"}}}
    namespace = namespace_of(registry_file, **project)
    assert namespace["ALLOWED_HOSTS"] == ["build-mode.invalid"]
    made = activate(namespace, environ={"MULTIHOST_SITE": "borealis"})
    fresh = dict(project)
    resolve(registry_file, environ={"MULTIHOST_SITE": "borealis"}).apply(fresh)
    assert namespace == fresh
    assert made.project == project and made.site and made.site.id == "borealis"


def test_setting_that_only_the_former_site_has_is_taken_away(registry_file: Path) -> None:
    """A site states a setting that the next one does not have."""
    namespace = namespace_of(registry_file)
    activate(namespace, environ={"MULTIHOST_SITE": "aurora"})
    assert namespace["TIME_ZONE"] == "Europe/Berlin"
    activate(namespace, environ={"MULTIHOST_SITE": "borealis"})
    assert "TIME_ZONE" not in namespace


def test_process_that_was_activated_resolves_as_its_site(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings modules that are executed again apply the site's, whatever the template resolved."""
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.delenv("MULTIHOST_SITE", raising=False)
    assert resolve(registry_file, command="template").is_build_mode
    namespace = namespace_of(registry_file)
    activate(namespace, environ={"MULTIHOST_SITE": "borealis"})
    for command in ("template", None):
        site = resolve(registry_file, command=command).site
        assert site and site.id == "borealis"


def test_process_that_is_activated_has_no_service_of_libpq(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nothing overrides is taken out of a child's variables, as out of those of a process from scratch."""
    monkeypatch.setenv("PGSERVICE", "corp")
    namespace = namespace_of(registry_file)
    assert os.environ["PGSERVICE"] == "corp"
    activate(namespace, environ={"MULTIHOST_SITE": "aurora"})
    assert "PGSERVICE" not in os.environ


@pytest.mark.parametrize("environ", [{}, {"MULTIHOST_SITE": ""}, {"MULTIHOST_SITE": "corona"}, {"MULTIHOST_SITE": "x"}])
def test_activation_of_no_site_changes_nothing(registry_file: Path, environ: dict[str, str]) -> None:
    """One that is not named, disabled or unknown is refused, and the process is what it was."""
    namespace = namespace_of(registry_file, DEBUG=True)
    before, was = dict(namespace), running.current()
    with pytest.raises(ConfigurationError):
        activate(namespace, environ=environ)
    assert (namespace, running.current(), resolver._outcomes) == (before, was, {})


def test_activation_needs_settings_that_were_applied(registry_file: Path) -> None:
    """Without any there is no project to start from."""
    with pytest.raises(ConfigurationError, match="apply"):
        activate({}, environ={"MULTIHOST_SITE": "borealis"})


def test_activation_runs_the_resets(registry_file: Path) -> None:
    """Each once, when the process is the site's."""
    seen: list[str] = []
    namespace = namespace_of(registry_file)
    running.register_reset(lambda: seen.append(running.own_id()))
    activate(namespace, environ={"MULTIHOST_SITE": "borealis"})
    assert seen == ["borealis"]
