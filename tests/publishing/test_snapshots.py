"""Publishing as a function: what is read, looked at and written, without the project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.registry.test_release import CODEBASE
from tests.registry.test_snapshot import REGISTRY, source  # noqa: F401  # a fixture
from tests.registry.test_snapshot_formats import two_formats  # noqa: F401  # a fixture
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshots import choose_formats, publish, to_publish
from wagtail_multihost.registry import Registry
from wagtail_multihost.registry.release import Release
from wagtail_multihost.registry.snapshot import SnapshotRegistry

OWN_CODE = '[sites.borealis]\ncode = { virtualenv = "/srv/older" }\n'


def release_at(place: str, *formats: int) -> Release:
    """Return a release in the virtual environment ``place`` that reads ``formats``."""
    return Release(replace(CODEBASE, virtualenv=Path(place)), "0.1", formats)


def published(registry: Registry, folder: Path, *only: str, **options: Any) -> list[str]:
    """Publish, and return what was done, by file."""
    changes = publish(registry, to_publish(registry, only), folder, removes=not only, **options)
    return [f"{change.path.name} {change.state.value}" for change in changes]


def test_registry_is_published_for_its_enabled_sites(source: Registry, tmp_path: Path) -> None:  # noqa: F811
    """What is the same is left alone, what is gone is removed, and one site can be published by itself."""
    folder = tmp_path / "run"
    assert published(source, folder, writes=False) == ["aurora.json created", "borealis.json created"]
    assert not folder.exists()
    assert published(source, folder, "borealis") == ["borealis.json created"]
    assert published(source, folder) == ["aurora.json created"]
    assert published(source, folder) == []
    assert {site.id for site in SnapshotRegistry(folder, {}).load().sites} == {"aurora", "borealis"}
    path = source.files[0]
    path.write_text(path.read_text().replace('hostnames = ["borealis', 'enabled = false\nhostnames = ["borealis'))
    assert published(source, folder, "aurora") == []
    assert published(source, folder) == ["borealis.json removed"]


def test_publishing_imports_no_django(source: Registry, tmp_path: Path) -> None:  # noqa: F811
    """A node's agent publishes without the project."""
    code = (
        "import sys; from pathlib import Path; from wagtail_multihost.registry import open_registry; "
        "from wagtail_multihost.publishing.snapshots import publish, to_publish; "
        "registry = open_registry(sys.argv[1], {'PASSWORD': 'p'}); "
        "print(len(publish(registry, to_publish(registry), Path(sys.argv[2]))), 'django' in sys.modules)"
    )
    words = [sys.executable, "-c", code, source.url, str(tmp_path / "run")]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() == ["2", "False"]


@pytest.fixture
def mixed(source: Registry) -> Registry:  # noqa: F811
    """A registry one of whose sites runs code of its own."""
    source.files[0].write_text(REGISTRY.replace("[sites.borealis]\n", OWN_CODE))
    return source


def test_site_whose_version_is_older_gets_what_that_reads(
    mixed: Registry,
    tmp_path: Path,
    two_formats: None,  # noqa: F811
) -> None:
    """Its release says so; the others, and one of which nothing is said, get the newest format."""
    folder = tmp_path / "run"

    def formats() -> dict[str, int]:
        return {path.stem: json.loads(path.read_text())["format"] for path in folder.glob("*.json")}

    published(mixed, folder)
    assert formats() == {"aurora": 2, "borealis": 2}
    older = [release_at("/srv/older", 0, 1), release_at("/srv/of/nobody", 1)]
    assert published(mixed, folder, releases=older) == ["borealis.json updated"]
    assert formats() == {"aurora": 2, "borealis": 1}
    assert published(mixed, folder, releases=older) == []
    registry = SnapshotRegistry(folder, {})
    assert [registry.site(site)[1].id for site in ("aurora", "borealis")] == ["aurora", "borealis"]


def test_release_of_this_process_is_that_of_sites_without_code_of_their_own(
    mixed: Registry,
    two_formats: None,  # noqa: F811
) -> None:
    """Their virtual environment is the one that publishes."""
    contents = to_publish(mixed)
    assert choose_formats(contents, [release_at(sys.prefix, 1)]) == {"aurora": 1}
    assert choose_formats(contents, [release_at("/srv/older", 1, 2, 3)]) == {"borealis": 2}
    assert choose_formats(contents, []) == {}


def test_release_that_reads_nothing_of_this_version_is_told(mixed: Registry, tmp_path: Path) -> None:
    """A site is not given a snapshot that it would refuse, and nothing is written."""
    with pytest.raises(ConfigurationError) as refused:
        publish(mixed, to_publish(mixed), tmp_path / "run", releases=[release_at("/srv/older", 9)])
    [problem] = refused.value.problems
    assert (problem.where, problem.site) == ("/srv/older", "borealis")
    assert "reads the snapshot formats 9, but this one writes 1, 2." in problem.message
    assert not (tmp_path / "run").exists()
