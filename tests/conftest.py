"""Options of the test run, the parts of the tests, and the rule that CI must not skip anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
#: Rooms whose tests run without Django: once for each Python, in an environment that does not have it.
PURE_ROOMS = ("as_site", "emitters", "launch", "node", "production", "publishing", "registry", "resolver", "spec")
PURE_FILES = frozenset({"health/test_report.py", "health/test_sampler.py", "health/test_several_sites.py"})
#: Files of these rooms that need Django all the same, or uWSGI: they run with each version, and those of a room that is
#: named below too once.
NEEDS_DJANGO = frozenset(
    {
        "emitters/apply/test_attacks.py",
        "emitters/test_health_front.py",
        "emitters/test_health_front_servers.py",
        "emitters/test_nginx_cache_cookies_servers.py",
        "emitters/test_nginx_content.py",
        "node/test_applying.py",
        "node/test_docs.py",
        "node/test_integrity.py",
        "resolver/test_activation.py",
        "resolver/test_csp.py",
        "resolver/test_exposure.py",
        "resolver/test_in_django.py",
        "resolver/test_mail.py",
        "resolver/test_project_settings.py",
        "resolver/test_rotation.py",
        "spec/test_exceptions.py",
    }
)
#: Tests of the tree and not of versions, and long random ones; the files beside this one belong to them.
ONCE_ROOMS = ("benchmarks", "cases", "conformance", "examples", "fuzz", "monitor", "node", "operations")
#: Rooms where most tests start a process: they run with the oldest and the newest versions only.
END_ROOMS = ("commands", "layouts")
#: These run only if they are asked for: one has its own settings, one needs Sphinx, one other people's packages.
CONTROL, DOCS, ADOPTION = "control", "docs", "adoption"
PARTS = ("pure", "once", "ends", "matrix")
ASKED_FOR = (*PARTS, CONTROL, DOCS, ADOPTION)

# Like Hypothesis' own profile for CI: a busy machine is not a failure.
settings.register_profile("small", settings.get_profile("ci"), max_examples=20)


def part_of(path: Path) -> str:
    """Return the part of the tests that the file ``path`` is in; every file is in one."""
    name = path.relative_to(TESTS)
    room = name.parts[0]
    if name.as_posix() in PURE_FILES or (room in PURE_ROOMS and name.as_posix() not in NEEDS_DJANGO):
        return "pure"
    if room in (CONTROL, DOCS, ADOPTION):
        return room
    if room in ONCE_ROOMS or len(name.parts) == 1:
        return "once"
    return "ends" if room in END_ROOMS else "matrix"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew; review them as a diff")
    parser.addoption("--part", action="append", choices=ASKED_FOR, help="collect this part alone; repeatable")
    if not pluginmanager.hasplugin("django"):  # pyproject.toml has its setting, and an unknown one is an error
        parser.addini("DJANGO_SETTINGS_MODULE", "not used without pytest-django")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore the files of other parts, and folders that have no others, so that they are not even imported."""
    parts = config.getoption("--part") or PARTS
    if not collection_path.is_relative_to(TESTS):
        return None
    files = collection_path.rglob("test_*.py") if collection_path.is_dir() else [collection_path]
    return None if any(part_of(file) in parts for file in files) else True


class Skips:
    """Counts skipped tests."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and os.environ.get("CI"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped and os.environ.get("CI"):
            named = "".join(f"\n  {test}" for test in self.skipped)
            terminalreporter.write_line(f"Failed: {len(self.skipped)} tests were skipped in CI.{named}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(), "multihost-skips")
