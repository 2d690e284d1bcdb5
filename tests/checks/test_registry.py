"""The check of the whole registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.conftest import Serve, ids_of
from tests.registry.conftest import AURORA, BOREALIS, HEAD, PLATFORM_KEY
from tests.spec.samples import a_site
from wagtail_multihost import running
from wagtail_multihost.checks.registry import check_registry
from wagtail_multihost.running import Running

SHARED = f'{HEAD}{AURORA}aliases = ["shared.example"]\n{BOREALIS}aliases = ["shared.example"]\n'


@pytest.mark.parametrize("has_site", [True, False])
def test_registry_with_a_conflict_is_e007(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_site: bool
) -> None:
    """Two sites with one thing are found in build mode, and in the process of a site that reads the whole file."""
    path = tmp_path / "sites.toml"
    path.write_text(SHARED)
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(path))
    serve(a_site() if has_site else None)
    messages = check_registry(None)
    assert ids_of(messages) == ["E007"]
    assert messages[0].msg.startswith(
        "sites.toml, line 9: sites.borealis.aliases: The hostname 'shared.example' belongs to"
    )


def test_registry_reports_every_problem_and_no_secret(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each problem is a message, and none has the platform's key."""
    path = tmp_path / "sites.toml"
    path.write_text(SHARED + f'[sites.corona]\nhostname = ["{PLATFORM_KEY}"]\n')
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(path))
    serve(None)
    messages = check_registry(None)
    assert ids_of(messages) == ["E007"] * 3
    assert PLATFORM_KEY not in str(messages)


def test_registry_of_the_settings_module_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    """Where no variable names a registry, that of resolve() is read, with the folder of static files protected."""
    path = tmp_path / "sites.toml"
    path.write_text(f'{HEAD}{AURORA}storage = "file:///srv/static/media"\n')
    settings.STATIC_ROOT = "/srv/static"  # type: ignore[attr-defined]
    monkeypatch.delenv("MULTIHOST_REGISTRY", raising=False)
    monkeypatch.setattr(running, "_current", Running(registry=path))
    (message,) = check_registry(None)
    assert "is inside the folder of static files of the platform" in message.msg


@pytest.mark.parametrize("registry", ["missing.toml", "env:", "."])
def test_registry_that_is_not_whole_is_quiet(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    """No file where images are built, the variables of one site, and a folder of snapshots are not checked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MULTIHOST_REGISTRY", registry)
    serve(None)
    assert check_registry(None) == []


def test_registry_is_not_read_by_test_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The throw-away site of a test run, and a project without apply, have no registry."""
    path = tmp_path / "sites.toml"
    path.write_text("not TOML")
    monkeypatch.setenv("MULTIHOST_REGISTRY", str(path))
    assert check_registry(None) == []
    monkeypatch.setattr(running, "_current", None)
    assert check_registry(None) == []
    monkeypatch.setattr(running, "_current", Running())
    assert ids_of(check_registry(None)) == ["E007"]
