"""A copy of the example project, ready to serve, and the commands that are run in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tomlkit

from tests.servers.accounts import ROOT, SITES, Account

CHECKOUT = Path(os.environ.get("MULTIHOST_CHECKOUT", Path(__file__).parents[2]))
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", "data", "static")
T = TypeVar("T")
ADMIN, READER = "admin", "reader"
SERVER_SECONDS = 300
# What a careless operator's shell may hold; no site may use it.
AMBIENT = {
    "AWS_ACCESS_KEY_ID": "ambient",
    "AWS_SECRET_ACCESS_KEY": "ambient",
    "DATABASE_URL": "postgresql://ambient:ambient@127.0.0.1:1/ambient",
    "PGDATABASE": "ambient",
    "PGHOSTADDR": "192.0.2.1",
    "PGOPTIONS": "-c role=ambient",
    "PGPASSWORD": "ambient",
    "PGSSLMODE": "verify-full",
    "PGUSER": "ambient",
    "SECRET_KEY": "ambient",
}
# Shows what code of a site can see: its process, and the request as Django has it.
PAGE = """
import os

from django.http import JsonResponse


def process(request):
    return JsonResponse(
        {"pid": os.getpid(), "environ": dict(os.environ), "host": request.get_host(), "scheme": request.scheme}
    )


urlpatterns.insert(0, path("process/", process))
"""
SEED = """
import os

from django.contrib.auth import get_user_model
from django.core.management import call_command

call_command("migrate", interactive=False, verbosity=0)
for name in {names!r}:
    get_user_model().objects.create_superuser(name, name + "@example.org", os.environ["SEED_PASSWORD"])
"""


@dataclass(frozen=True)
class Workshop:
    """
    The ``folder`` that everything is in, the ``project``, the ``password`` of every site's users, and the
    ``python`` of the sites' virtual environment.
    """

    folder: Path
    project: Path
    password: str
    python: Path

    def environ(self, registry: Path | None = None, site: str = "", **more: str) -> dict[str, str]:
        own = {"MULTIHOST_REGISTRY": str(registry)} if registry else {}
        named = {"MULTIHOST_SITE": site} if site else {}
        return {"PATH": os.defpath, "LANG": "C.UTF-8", **AMBIENT, **own, **named, **more}

    def manage(self, *words: str, environ: dict[str, str], account: Account = SITES) -> str:
        """Run manage.py and return what it prints; raises AssertionError when it fails."""
        done = subprocess.run(
            account.command(self.python, self.project / "manage.py", *words),
            env=environ,
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=SERVER_SECONDS,
            umask=0o022 if account == ROOT else 0o077,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)[:200]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def seed(self, registry: Path, site: str) -> None:
        """Make a site's tables and its users."""
        code = SEED.format(names=[ADMIN, READER])
        self.manage("shell", "-v0", "-c", code, environ=self.environ(registry, site, SEED_PASSWORD=self.password))


@contextlib.contextmanager
def opened_workshop() -> Iterator[Workshop]:
    # Not below pytest's folder, which only its own user may enter; short, because a socket's path ends at 102 bytes.
    folder = ROOT.take(Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp")), 0o711)
    try:
        workshop = Workshop(folder, folder / "project", secrets.token_urlsafe(16), open_python(folder))
        shutil.copytree(CHECKOUT / "example_project", workshop.project, ignore=LEFT_OUT)
        with open(workshop.project / "example" / "urls.py", "a") as urls:
            urls.write(PAGE)
        # As the operator, who can also write the byte code that every later process loads.
        workshop.manage("collectstatic", "--noinput", "-v0", environ=workshop.environ(), account=ROOT)
        yield workshop
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_python(folder: Path) -> Path:
    """
    Return a Python, with this environment's packages, that the sites' user can run: this one, or where a folder
    above it is closed to others (a home folder, say), that of a copy in ``folder``.
    """
    if can_run(Path(sys.executable)):
        return Path(sys.executable)
    copy = folder / "environment"
    # Another process of this environment may be writing byte code, to a file that it then gives its name.
    unnamed = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(sys.prefix, copy, symlinks=True, copy_function=link_or_copy, ignore=unnamed)
    name_own_python(copy / "bin")
    python = copy / "bin" / Path(sys.executable).name
    assert can_run(python), f"The user {SITES.user}, who runs the sites here, cannot use a copy of {sys.prefix}."
    return python


def name_own_python(folder: Path) -> None:
    """Let the scripts in ``folder`` start the Python beside them; written anew, since a linked file is the original."""
    start = f"#!{sys.prefix}/bin/".encode()
    for script in folder.iterdir():
        if script.is_symlink() or not script.is_file() or not (text := script.read_bytes()).startswith(start):
            continue
        script.unlink()
        script.write_bytes(b"#!" + os.fsencode(folder) + b"/" + text.removeprefix(start))
        script.chmod(0o755)


def can_run(python: Path) -> bool:
    command = SITES.command(python, "-c", "import wagtail_multihost, wagtail")
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0


def link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
    return target


def write_registry(path: Path, document: dict[str, object]) -> Path:
    """Write a registry that the sites' processes alone can read."""
    # Through JSON, because tomlkit takes no tuples and no paths.
    return SITES.write(path, tomlkit.dumps(json.loads(json.dumps(document, default=str))))


def run_all(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Run ``jobs``, two at a time; return what they return, in their order."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]
