"""The files for editors, commits and code hosts are what their programs accept."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from editorconfig import get_properties

from tests.examples.tools import ROOT, run_tool

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-workflows", WORKFLOW), ("vendor.readthedocs", ROOT / ".readthedocs.yaml")]
)
def test_code_hosts_accept_their_files(schema: str, file: object) -> None:
    """The hosts' own schemas know every key."""
    run_tool("check-jsonschema", "--builtin-schema", schema, str(file))


def test_pre_commit_accepts_its_file() -> None:
    """The file is valid, and everything that it runs comes from a registry: no repository is cloned."""
    file = ROOT / ".pre-commit-config.yaml"
    run_tool("pre-commit", "validate-config", file)
    assert [repo["repo"] for repo in yaml.safe_load(file.read_text(encoding="utf-8"))["repos"]] == ["local"]


def test_workflow_runs_what_ci_runs() -> None:
    """It runs .ci/run and nothing else of ours, may only read, and takes no action by a name that can be moved."""
    workflow: Any = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    [job] = workflow["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/run"
    assert workflow["permissions"] == {"contents": "read"}
    actions = [step["uses"].partition("@")[2] for step in job["steps"] if "uses" in step]
    assert [len(version) for version in actions] == [40]
    assert job["timeout-minutes"] >= 90


def test_documentation_is_built_as_ci_builds_it() -> None:
    """A warning fails it there too, and the same group of requirements is installed."""
    stated = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text(encoding="utf-8"))
    assert (stated["sphinx"]["fail_on_warning"], stated["sphinx"]["configuration"]) == (True, "docs/conf.py")
    assert any("--group docs" in command for command in stated["build"]["jobs"]["install"])


def test_editors_write_files_as_they_are() -> None:
    """What editors are told is what ruff and the files that are here keep to."""
    assert get_properties(str(ROOT / "wagtail_multihost" / "conf.py"))["max_line_length"] == "120"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wrong = []
    for name in listed.split("\0"):
        if not name.endswith((".py", ".md", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".html", ".css", ".sh")):
            continue
        told, text = get_properties(str(ROOT / name)), (ROOT / name).read_bytes().decode(told_charset(name))
        ends = not text or text.endswith("\n") is (told["insert_final_newline"] == "true")
        is_trimmed = told.get("trim_trailing_whitespace") == "true"
        clean = not is_trimmed or not any(line != line.rstrip() for line in text.splitlines())
        if not (ends and clean and "\r" not in text and told["end_of_line"] == "lf"):
            wrong.append(name)
    assert wrong == []


def told_charset(name: str) -> str:
    return get_properties(str(ROOT / name))["charset"]
