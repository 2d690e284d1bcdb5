"""What importing a part of the package loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wagtail_multihost.publishing.snapshot_changes import find_changes
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry import Contents, open_registry
from wagtail_multihost.resolver.secret_key import with_own_keys

PRINT_MODULES = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
REGISTRY = """
[platform]
name = "aviary"
secret_key = "0123456789-0123456789-0123456789-0123456789"
[sites.aurora]
hostnames = ["aurora.example.org"]
"""


def modules_after(code: str, **environ: str) -> set[str]:
    """Return the names of all modules that a new process has after ``code``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MULTIHOST_", "PYTEST_"))}
    completed = subprocess.run(
        [sys.executable, "-c", code + PRINT_MODULES],
        env={**clean, **environ},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(completed.stdout.splitlines()[-1]))


def of(modules: set[str], *packages: str) -> set[str]:
    return {module for module in modules if module.split(".")[0] in packages}


def test_package_root_imports_nothing() -> None:
    """Importing the package loads no module of Django and none of its own."""
    modules = modules_after("import wagtail_multihost")
    assert of(modules, "wagtail_multihost") == {"wagtail_multihost"}
    assert of(modules, "django", "wagtail", "storages") == set()


@pytest.mark.parametrize("room", ["exceptions", "spec", "registry", "resolver", "emitters"])
def test_room_that_runs_before_settings_imports_no_django(room: str) -> None:
    """Specs, registries, the resolver and the emitters are usable while Django's settings are made."""
    modules = modules_after(f"import wagtail_multihost.{room}")
    assert f"wagtail_multihost.{room}" in modules
    assert of(modules, "django", "wagtail", "storages") == set()


def test_parsers_that_few_registries_need_are_not_imported() -> None:
    """Importing the resolver loads no parser of URLs, no IDNA tables and no template engine."""
    modules = modules_after("import wagtail_multihost.resolver")
    assert of(modules, "dj_database_url", "environ", "idna", "jinja2", "tomlkit", "zoneinfo") == set()


@pytest.mark.parametrize("environ", [{}, {"MULTIHOST_SITE": "aurora"}], ids=["build mode", "a site"])
def test_resolve_imports_no_django(environ: dict[str, str], tmp_path: Path) -> None:
    """A settings module can resolve and apply without Django."""
    (tmp_path / "sites.toml").write_text(REGISTRY)
    code = "from wagtail_multihost.resolver import resolve; settings = {}; resolve().apply(settings); assert settings"
    modules = modules_after(code, MULTIHOST_REGISTRY=str(tmp_path / "sites.toml"), **environ)
    assert "wagtail_multihost.resolver.resolved" in modules
    assert of(modules, "django", "wagtail", "storages", "jinja2", "tomlkit") == set()


def modules_of_a_site(folder: Path, registry_text: str) -> set[str]:
    """Return the names of all modules that a process has which resolved a site from its snapshot."""
    (folder / "sites.toml").write_text(registry_text, encoding="utf-8")
    registry = open_registry(folder / "sites.toml", {})
    platform, site = registry.site("aurora")
    contents = Contents(platform, (with_own_keys(platform, site),))
    with prepared_folder(folder / "snapshots"):
        changes = find_changes(
            draft_snapshots(folder / "snapshots", registry, contents, datetime.now(UTC)), {"aurora": os.getegid()}, None
        )
        write_changes(changes)
    code = "from wagtail_multihost.resolver import resolve; settings = {}; resolve().apply(settings); assert settings"
    return modules_after(code, MULTIHOST_REGISTRY=f"{folder}/snapshots", MULTIHOST_SITE="aurora")


def test_site_from_a_snapshot_loads_no_reader_of_other_registries(tmp_path: Path) -> None:
    """A process that starts from a snapshot loads its own reader, and nothing that writes, lists or explains keys."""
    modules = modules_of_a_site(tmp_path, REGISTRY)
    assert "wagtail_multihost.registry.snapshot" in modules
    registries = {
        "environment",
        "keys",
        "lines",
        "optional_parts",
        "options",
        "platform_key",
        "signature",
        "toml",
    }
    assert modules & {f"wagtail_multihost.registry.{name}" for name in registries} == set()
    writers = ("wagtail_multihost.publishing", "wagtail_multihost.files.locking")
    assert not [module for module in modules if module.startswith(writers)]
    specs = {"code", "frontend", "keys", "mail", "nginx", "options", "overrides", "systemd", "uwsgi"}
    assert modules & {f"wagtail_multihost.spec.{name}" for name in specs} == set()
    # What measures coverage loads modules of its own in every process.
    loaded = modules - modules_after("pass")
    assert of(loaded, "difflib", "email", "idna", "jinja2", "tempfile", "tomllib", "zoneinfo") == set()


def test_site_loads_the_specs_of_its_own_parts(tmp_path: Path) -> None:
    """A site with certificates loads what checks them, and nothing of mail or of caches in front."""
    tls = 'tls = { certificate = "/etc/tls/aurora.pem", key = "/etc/tls/aurora.key" }\n'
    modules = modules_of_a_site(tmp_path, REGISTRY + tls)
    specs = {f"wagtail_multihost.spec.{name}" for name in ("frontend", "mail", "tls")}
    assert modules & specs == {"wagtail_multihost.spec.tls"}
