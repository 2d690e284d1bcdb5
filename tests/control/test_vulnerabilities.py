"""What pip-audit found is taken over."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.models import Vulnerability
from wagtail_multihost.control.vulnerabilities import parse_audit, save_audits
from wagtail_multihost.exceptions import ConfigurationError

COMMAND = "multihost_import_vulnerabilities"
#: As pip-audit 2.9 prints it.
FOUND = {
    "dependencies": [
        {
            "name": "Django",
            "version": "5.2.7",
            "vulns": [
                {
                    "id": "PYSEC-2025-1",
                    "fix_versions": ["4.2.26", "5.2.8"],
                    "aliases": ["CVE-2025-1", "GHSA-1"],
                    "description": "Something\nis \x1b[31mwrong.",
                }
            ],
        },
        {"name": "wagtail", "version": "8.0.1", "vulns": []},
        {"name": "own-project", "skip_reason": "Dependency not found on PyPI"},
    ],
    "fixes": [],
}


def write(folder: Path, document: Any, name: str = "audit.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def run(*paths: Path) -> str:
    out = StringIO()
    call_command(COMMAND, *map(str, paths), stdout=out)
    return out.getvalue()


def known() -> list[tuple[str, str, str]]:
    return [*Vulnerability.objects.values_list("package", "version", "advisory")]


def test_audit_is_taken_over(fleet: Fleet, tmp_path: Path) -> None:
    path = write(tmp_path, FOUND)
    assert run(path) == f"{path}: 2 packages, 1 vulnerabilities. 1 were left out, which have no version.\n"
    row = Vulnerability.objects.get()
    assert (row.package, row.version, row.advisory) == ("django", "5.2.7", "PYSEC-2025-1")
    assert (row.aliases, row.fixed_in) == (["CVE-2025-1", "GHSA-1"], ["4.2.26", "5.2.8"])
    assert row.summary == "Something is \\x1b[31mwrong."


def test_later_audit_replaces_what_it_covers_alone(fleet: Fleet, tmp_path: Path) -> None:
    run(write(tmp_path, FOUND))
    other = {"dependencies": [{"name": "pillow", "version": "10.0", "vulns": [{"id": "A"}, {"id": "B"}]}]}
    run(write(tmp_path, other))
    assert known() == [("django", "5.2.7", "PYSEC-2025-1"), ("pillow", "10.0", "A"), ("pillow", "10.0", "B")]
    # The form before 2.5: the list alone.
    run(write(tmp_path, [{"name": "django", "version": "5.2.7", "vulns": []}]))
    assert known() == [("pillow", "10.0", "A"), ("pillow", "10.0", "B")]
    run(write(tmp_path, other))
    assert len(known()) == 2


@pytest.mark.parametrize("text", ["", "{", "1", '{"dependencies": 1}', "[" * 100_000])
def test_anything_else_is_refused_and_changes_nothing(fleet: Fleet, tmp_path: Path, text: str) -> None:
    good, bad = write(tmp_path, FOUND), tmp_path / "bad.json"
    bad.write_text(text)
    with pytest.raises(CommandError) as caught:
        run(good, bad)
    assert caught.value.returncode == 2
    assert "bad.json: It is not what pip-audit prints" in str(caught.value)
    assert known() == []


def test_rows_without_a_form_are_left_out() -> None:
    rows = [
        1,
        {"name": 1},
        {"name": "a", "version": None},
        {"name": "a b", "version": "1"},
        {"name": "ok", "version": "1"},
    ]
    rows.append(
        {"name": "b", "version": "1", "vulns": [1, {"id": 2}, {"id": "X", "fix_versions": "1", "aliases": [3]}]}
    )
    audit = parse_audit(json.dumps(rows).encode(), "x")
    assert (audit.audited, audit.skipped) == ({("ok", "1"), ("b", "1")}, 4)
    assert [(row.advisory, row.fixed_in, row.aliases) for row in audit.found] == [("X", [], [])]


def test_only_operators_may(fleet: Fleet) -> None:
    fleet.add("aurora")
    with pytest.raises((ConfigurationError, NotAllowedError)):
        save_audits(fleet.authority("ada", aurora="admin"), [])
