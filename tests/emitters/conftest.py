"""Platforms, sites and plans for the emitters."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wagtail_multihost.emitters import Plan, emit
from wagtail_multihost.registry.targets import BUILT_IN
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

GOLDEN = Path(__file__).with_name("golden")
DATA = Path("/srv/aviary/data")
BUCKET = StorageSpec(
    backend="s3", bucket="aviary--corona", access_key=Secret("not-emitted-1"), secret_key=Secret("not-emitted-2")
)


def make_platform(**options: object) -> PlatformSpec:
    """Return the platform ``aviary``, with ``options`` on top, those of targets under their names."""
    stated = tuple(options.pop(target) for target in BUILT_IN if target in options)
    return PlatformSpec(**{"name": "aviary", "data": DATA, "options": stated, **options})


def make_site(site: str, *, data: Path = DATA, socket: str = "", **options: object) -> SiteSpec:
    """
    Return a site with local files, with ``options`` on top, those of targets under their names; ``socket`` pins the
    name of its socket.
    """
    names = derive_names("aviary", site)
    values = {
        "id": site,
        "uid": make_platform().uid_of(site),
        "hostnames": (f"{site}.example.org",),
        "names": replace(names, socket=socket or names.socket),
        "database": DatabaseSpec(engine="sqlite", path=data / "sites" / site / "db.sqlite3"),
        "cache": CacheSpec(backend="locmem"),
        "storage": StorageSpec(backend="files", path=data / "sites" / site / "media"),
        "options": tuple((target, options.pop(target)) for target in BUILT_IN if target in options),
    }
    return SiteSpec(**{**values, **options})


def make_codebase(**options: object) -> Codebase:
    """Return the project ``website``, with ``options`` on top."""
    values = {
        "directory": Path("/srv/aviary/code"),
        "virtualenv": Path("/srv/aviary/venv"),
        "wsgi": "website.wsgi:application",
        "settings_module": "website.settings",
        "static_root": Path("/srv/aviary/static"),
    }
    return Codebase(**{**values, **options})


def make_plan(*sites: SiteSpec, directory: Path = Path("/etc/multihost"), **options: object) -> Plan:
    """Return a plan for ``sites``, with ``options`` on top."""
    values = {"platform": make_platform(), "codebase": make_codebase(), "registry": "/srv/aviary/sites.toml"}
    return Plan(sites=sites, directory=directory, **{**values, **options})


def texts(target: str, plan: Plan) -> dict[str, str]:
    """Return the emitted texts of ``target`` by their relative path."""
    return {str(file.path): file.text for file in emit(target, plan)}


def written(target: str, plan: Plan) -> Path:
    """Write the emitted files of ``target``, with their modes, into the plan's folder and return the folder."""
    for emitted in emit(target, plan):
        file = plan.directory / emitted.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(emitted.text, encoding="utf-8")
        file.chmod(emitted.mode)
    return plan.directory


@pytest.fixture
def matches_golden(request: pytest.FixtureRequest) -> Callable[[str, Plan], None]:
    """Compare the emitted files of a plan with ``golden/<target>/<case>``; ``--regenerate`` rewrites the folder."""

    def compare(target: str, case: str, plan: Plan) -> None:
        folder = GOLDEN / target / case
        emitted = texts(target, plan)
        if request.config.getoption("--regenerate"):
            shutil.rmtree(folder, ignore_errors=True)
            for path, text in emitted.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        kept = {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files_below(folder)}
        assert emitted == kept

    return compare


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
