"""
A process that has loaded what all tests load, and runs pytest in forks of itself: a run starts in a second less.

Nothing of the package is loaded before the fork. Each line of the input is the name of a file with the tests, one on
a line and the first ones first, and a time limit; the answer is pytest's exit code, or what stands for a run that
had to be ended.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.workspace import OPTIONS

if TYPE_CHECKING:
    import pytest

#: Large, loaded by most tests, and no part of what settings decide.
LOADED = (
    "pytest", "hypothesis.strategies", "jinja2", "tomlkit", "tqdm", "environ", "dj_database_url", "idna",
    "cryptography.x509", "django.conf", "django.core.management", "django.db.backends.sqlite3.base", "django.forms",
    "django.test", "django.template.backends.django", "django.urls", "django.views.debug", "PIL.Image",
    "concurrent.futures.thread", "prometheus_client", "html5lib", "bs4", "email.mime.text",
)  # fmt: skip
#: Those of tests/settings.py without the package.
APPLICATIONS = [
    "wagtail.users", "wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin", "wagtail",
    "modelcluster", "taggit", "django_filters", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles",
]  # fmt: skip
TIMEOUT, DEAF = 124, 98
POLL_SECONDS = 0.02
CHOSEN = "MULTIHOST_CHOSEN_TESTS"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the chosen tests in their order (a hook of pytest); tests that no longer exist are left out."""
    names = Path(os.environ[CHOSEN]).read_text(encoding="utf-8").splitlines()
    found = {item.nodeid: item for item in items}
    items[:] = [found[name] for name in names if name in found]


class Warm:
    """Such a process, for the tests in ``folder``."""

    def __init__(self, folder: Path, log: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(folder)}
        self.folder = folder
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(log)],
            cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def run(self, tests: Sequence[str], seconds: float) -> tuple[int, str]:
        """Run the tests until one fails; return the exit code and the output."""
        assert self.process.stdin and self.process.stdout
        chosen = self.log.with_suffix(".tests")
        chosen.write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
        self.process.stdin.write(f"{seconds} {chosen}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), self.log.read_text(encoding="utf-8", errors="replace")


def load() -> None:
    """
    Load what tests load, with the models of all applications but the package's own, and forget that they are
    installed: a fork sets Django up, with its own settings, and finds the modules loaded.
    """
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from django.apps import AppConfig, apps
    from django.conf import empty, settings
    from django.core.cache import caches
    from django.db import connections

    settings.configure(
        INSTALLED_APPS=APPLICATIONS,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        STATIC_URL="/static/",
        USE_TZ=True,
        WAGTAILADMIN_STATIC_FILE_VERSION_STRINGS=True,  # as it is found out where it is not stated
    )
    for application in APPLICATIONS:
        config = AppConfig.create(application)
        config.apps = apps
        apps.app_configs[config.label] = config
    apps.apps_ready = True
    for config in apps.app_configs.values():
        config.import_models()
    apps.app_configs = {}
    apps.apps_ready = False
    apps.clear_cache()
    for handler in (caches, connections):  # they remember the settings that they have read
        handler._settings = None
        handler.__dict__.pop("settings", None)
        with contextlib.suppress(AttributeError):
            del handler["default"]
    settings._wrapped = empty


def serve(log: str) -> None:
    load()
    assert not any(name.startswith("wagtail_multihost") for name in sys.modules)
    for line in sys.stdin:
        seconds, _, chosen = line.strip().partition(" ")
        print(ended(float(seconds), chosen, log), flush=True)


def ended(seconds: float, chosen: str, log: str) -> int:
    """Run the chosen tests in a fork, end it and its processes after the time limit, and return the exit code."""
    pid = os.fork()
    if not pid:
        code = DEAF
        try:
            os.setsid()
            code = tested(chosen, log)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    deadline = time.monotonic() + seconds
    code = TIMEOUT
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(POLL_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code == TIMEOUT:
        os.waitpid(pid, 0)
    return abs(code)


def tested(chosen: str, log: str) -> int:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in enumerate((nothing, descriptor, descriptor)):
        os.dup2(target, number)
    os.environ[CHOSEN] = chosen
    import pytest

    package = importlib.util.find_spec("wagtail_multihost")
    assert package and package.origin and package.origin.startswith(os.getcwd()), "another copy of the package"

    names = Path(chosen).read_text(encoding="utf-8").splitlines()
    files = dict.fromkeys(name.partition("::")[0] for name in names)
    return int(pytest.main([*OPTIONS, "-p", "tests.warm", *files]))


if __name__ == "__main__":
    serve(sys.argv[1])
