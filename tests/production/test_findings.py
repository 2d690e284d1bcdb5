"""What suits only development is found, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wagtail_multihost.production.build_context import context_findings, has_secret, repository_findings
from wagtail_multihost.production.ignore_files import leaves_out
from wagtail_multihost.production.settings import debug_findings, hint_for, is_for_development


@pytest.mark.parametrize(
    ("lines", "at_any_depth", "expected"),
    [
        (["data/"], False, True),
        (["data/platform.key"], False, True),
        (["platform.key"], False, False),
        (["platform.key"], True, True),
        (["**/platform.key"], False, True),
        (["*"], False, True),
        (["# data"], False, False),
        (["data/[p]latform.key"], False, False),
        (["data", "!data/platform.key"], False, False),
        (["!data/platform.key", "data"], False, True),
        (["data", "!other"], False, True),
    ],
)
def test_line_leaves_a_file_out_only_where_it_surely_does(lines: list[str], at_any_depth: bool, expected: bool) -> None:
    """The last line about a file decides, and one that may be understood in two ways leaves nothing out."""
    assert leaves_out(lines, ("data", "platform.key"), at_any_depth=at_any_depth) is expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("mysite.settings.dev", True),
        ("mysite.settings_local", True),
        ("mysite.test_settings", True),
        ("mysite.settings.production", False),
        ("mysite.dev.settings", False),
        ("mysite.settings.device", False),
    ],
)
def test_module_is_for_development_by_its_last_part(module: str, expected: bool) -> None:
    """Names of packages around it, and words that only begin alike, say nothing."""
    assert is_for_development(module) is expected


def test_debug_is_found_where_it_is_on() -> None:
    """One finding with it, none without."""
    assert [len(list(debug_findings("mysite.settings", debug=debug))) for debug in (True, False)] == [1, 0]


def test_hint_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that this process has not imported, such as a site's own code, is not run to look into it."""
    (tmp_path / "hinted" / "settings").mkdir(parents=True)
    (tmp_path / "hinted" / "settings" / "__init__.py").write_text("raise SystemExit('It has run.')\n")
    (tmp_path / "hinted" / "settings" / "production.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert ", such as mysite.settings.production;" in hint_for("hinted.settings.dev")
    assert "hinted" not in sys.modules
    assert ", such as mysite.settings.production;" in hint_for("sys.dev"), "sys has no modules in it"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"platform": {"secret_key": "written"}}, True),
        ({"platform": {"secret_key": "env:KEY"}}, False),
        ({"platform": {"secret_key_file": "/run/secrets/key"}}, False),
        ({"platform": {"secret_keys": {"first": "written"}}}, True),
        ({"platform": {"secret_keys": {"first_file": "/run/secrets/key"}}}, False),
        ({"cache": {"location": "redis://user:password@redis.internal"}}, True),
        ({"cache": {"location": "redis://redis.internal/path@2"}}, False),
    ],
)
def test_secret_in_a_registry_is_a_value(document: dict[str, object], expected: bool) -> None:
    """The name of a variable and the path of a file are none."""
    assert has_secret(document) is expected


def test_key_in_a_build_context_and_a_repository_is_found_until_it_is_left_out(tmp_path: Path) -> None:
    """A file that is named by .dockerignore or .gitignore is found no more."""
    key = tmp_path / "data" / "platform.key"
    key.parent.mkdir()
    key.touch()
    assert not list(context_findings([key], key.parent))
    for name in ("Dockerfile", ".git"):
        (tmp_path / name).touch()
    assert len(list(context_findings([key], key.parent))) == 1
    assert len(list(repository_findings(tmp_path, [key], key.parent))) == 1
    for name in (".dockerignore", ".gitignore"):
        (tmp_path / name).write_text("data/\n")
    assert not list(context_findings([key], key.parent))
    assert not list(repository_findings(tmp_path, [key], key.parent))
