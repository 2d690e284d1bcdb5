"""What the kit does around the canaries: its processes, its report, and how it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_docs import blocks
from tests.test_imports import modules_after, of
from wagtail_multihost.registry import open_registry
from wagtail_multihost.testing.canaries import CANARIES
from wagtail_multihost.testing.isolation import Isolation
from wagtail_multihost.testing.process import tenant_environ
from wagtail_multihost.testing.registry import SITES, write_registry
from wagtail_multihost.testing.report import Finding, IsolationError
from wagtail_multihost.testing.tenant import Tenant, run_command

pytestmark = pytest.mark.projects

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_project"
PAGE = ROOT / "docs" / "how-to" / "test-isolation.md"
LEAKS = "tests.testing.leaks"


def python_of_page(word: str) -> str:
    """Return the page's example that has ``word``."""
    (text,) = [text for text in blocks(PAGE, "python") if word in text]
    return text


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in an adopter's folder, with the example project on the import path."""

    def call(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        inherited = ("MULTIHOST_", "PYTEST_", "DJANGO_SETTINGS_MODULE")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
        path = os.pathsep.join([str(EXAMPLE), str(ROOT), str(tmp_path)])
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": path, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_plugin_imports_nothing_that_a_run_may_not_need() -> None:
    """Loading the pytest plugin, which every run does, loads no other module of the package and no Django."""
    modules = modules_after("import wagtail_multihost.testing.plugin")
    own = {"wagtail_multihost", "wagtail_multihost.testing", "wagtail_multihost.testing.plugin"}
    assert of(modules, "wagtail_multihost") == own
    assert of(modules, "django", "wagtail") == set()


def test_pytest_finds_the_plugin_and_fails_with_a_report(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, databases: Path
) -> None:
    """The page's test, as an adopter runs it on a project with one key for all sites, fails and names the key."""
    (tmp_path / "one_key.py").write_text('from example.settings import *\n\nSECRET_KEY = "one key " * 9\n')
    fixture = f"@pytest.fixture(scope='session')\ndef multihost_databases():\n    return Path({str(databases)!r})\n"
    (tmp_path / "conftest.py").write_text(f"from pathlib import Path\n\nimport pytest\n\n{fixture}")
    (tmp_path / "test_isolation.py").write_text(python_of_page("def test_sites_are_isolated("))
    words = ("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_isolation.py")
    completed = run(*words, DJANGO_SETTINGS_MODULE="one_key")
    assert completed.returncode == pytest.ExitCode.TESTS_FAILED, completed.stdout + completed.stderr
    assert "signing: from left to right" in completed.stdout
    assert "SECRET_KEY" in completed.stdout
    without = run(*words, "-p", "no:multihost", DJANGO_SETTINGS_MODULE="one_key")
    assert "fixture 'multihost_isolation' not found" in without.stdout


def test_djangos_runner_runs_the_mixin(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, databases: Path
) -> None:
    """The page's test case passes in manage.py test of the example project, whose process is no site."""
    text = python_of_page("class IsolationTests(")
    folder = tmp_path / "checks"
    folder.mkdir()
    kept = f"\n\nIsolationTests.multihost_databases = __import__('pathlib').Path({str(databases)!r})\n"
    (folder / "test_isolation.py").write_text(text + kept)
    completed = run(EXAMPLE / "manage.py", "test", folder)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "Ran 1 test" in completed.stderr


def test_canaries_of_the_project_are_asked(isolation_of: Callable[..., Isolation]) -> None:
    """A project's canary tells, one that does not apply is left out, and one that fails is no success."""
    names = ("OwnCanary", "SilentCanary", "FailingCanary")
    isolation = isolation_of("HANDOVER = SHARED", canaries=[f"{LEAKS}.{name}" for name in names])
    with pytest.raises(IsolationError) as caught:
        isolation.check()
    assert {(finding.canary, finding.setting) for finding in caught.value.crossings} == {("handover", "HANDOVER")}
    assert {finding.canary for finding in caught.value.failures} == {"FailingCanary"}
    assert "No perch." in caught.value.failures[0].evidence
    assert {(finding.source, finding.target) for finding in caught.value.findings} == {SITES, SITES[::-1]}


@pytest.mark.parametrize(
    ("code", "told"), [("raise ValueError('No nest.')", "No nest."), ("import os; os._exit(3)", "has ended")]
)
def test_settings_that_fail_are_no_success(code: str, told: str, isolation_of: Callable[..., Isolation]) -> None:
    """When a site's process cannot be set up, the kit says why, and plants nothing."""
    findings = isolation_of(code).findings()
    assert {(finding.canary, finding.setting) for finding in findings} == {("settings", "")}
    assert told in findings[0].evidence


def test_report_names_what_crossed_by_setting_and_both_sites() -> None:
    """Below each setting stands what crossed, from where to where; failures come last."""
    error = IsolationError(
        "website.settings",
        [
            Finding("tasks", "", "It could not be planted: OSError", "left", "right"),
            Finding("cache", 'CACHES["default"]', "The entry is there.", "left", "right"),
            Finding("signing", "SECRET_KEY", "A signed value is accepted.", "right", "left"),
            Finding("wagtail-sites", 'CACHES["default"]', "The hostname is there.", "left", "right"),
        ],
    )
    assert str(error).splitlines() == [
        "Sites of website.settings are not isolated:",
        '  CACHES["default"]',
        "    - cache: from left to right: The entry is there.",
        "    - wagtail-sites: from left to right: The hostname is there.",
        "  SECRET_KEY",
        "    - signing: from right to left: A signed value is accepted.",
        "Canaries that failed:",
        "    - tasks: from left to right: It could not be planted: OSError",
    ]


def test_process_of_a_site_inherits_no_site_and_no_test_run() -> None:
    """What the surrounding run says about sites, and that it is one of pytest, does not reach a site's process."""
    inherited = {"MULTIHOST_SITE": "a", "MULTIHOST_SITE_DATABASE": "b", "PYTEST_VERSION": "9", "LANG": "C"}
    environ = tenant_environ(inherited, "left", "website.settings", "sites.toml")
    assert environ.pop("PYTHONPATH").split(os.pathsep)
    assert environ == {
        "LANG": "C",
        "DJANGO_SETTINGS_MODULE": "website.settings",
        "MULTIHOST_REGISTRY": "sites.toml",
        "MULTIHOST_SITE": "left",
    }


def test_registry_of_the_kit_has_two_sites(tmp_path: Path) -> None:
    """The registry that the kit makes is valid, and both sites keep everything below the given folder."""
    contents = open_registry(write_registry(tmp_path), {}).load()
    assert [site.id for site in contents.sites] == list(SITES)
    assert all(str(site.database.path).startswith(str(tmp_path)) for site in contents.sites)


def test_error_in_a_step_is_an_answer() -> None:
    """A canary's error reaches the other process with its classes, so that a refusal is known as one."""
    tenant = Tenant()
    tenant.canaries["failing"] = Failing()
    found = run_command(tenant, {"do": "step", "with": {"path": "failing", "step": "plant", "token": "t"}})
    assert found["error"] == "KeyError: 'perch'"
    assert "LookupError" in list(found["kinds"])  # type: ignore[call-overload]


class Failing:
    """A canary with a mistake."""

    def plant(self, token: str) -> Iterator[str]:
        raise KeyError("perch")


def test_every_canary_is_in_the_page() -> None:
    """The how-to lists each canary by the name that reports give it."""
    from django.utils.module_loading import import_string

    text = PAGE.read_text(encoding="utf-8")
    names = [import_string(path).name for path in CANARIES]
    assert len(names) == len(set(names))
    assert [name for name in names if f"| `{name}` |" not in text] == []
