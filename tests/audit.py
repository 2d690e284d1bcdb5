"""
Look for known kinds of defects: bandit over the package, pip-audit over what it needs::

    python -m tests.audit

Every finding of bandit is mended, or answered with a reason in ``audit.toml`` beside this file; an answer without a
finding is refused too. pip-audit asks PyPI for known vulnerabilities of the installed versions; what PyPI does not
answer for is named. Exits 1 for a finding.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / "tests" / "audit.toml"
PACKAGE = "wagtail_multihost"
BLACK_HOLE_SECONDS = "10"


class Finding(NamedTuple):
    """A finding of bandit: its test's id, the file and the rule, and for the reader the line and what is wrong."""

    test: str
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.test} {self.text}"


def answers() -> dict[tuple[str, str], str]:
    """Return the reasons by test and file."""
    entries = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))["answers"]
    return {(entry["test"], file): entry["reason"] for entry in entries for file in entry["files"]}


def open_points(found: Iterable[Finding], answered: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for every finding without an answer, and for every answer without a finding."""
    findings = list(found)
    known = set(answered)
    yield from (str(finding) for finding in findings if (finding.test, finding.file) not in known)
    for test, file in sorted(known - {(finding.test, finding.file) for finding in findings}):
        yield f"{ANSWERS.name} answers {test} in {file}, which bandit does not find. Remove the answer."


def bandit_findings() -> list[Finding]:
    """Run bandit; raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive", "--format", "json", "--exit-zero", PACKAGE]
    completed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    report = json.loads(completed.stdout)
    assert not report["errors"], report["errors"]
    return [
        Finding(found["test_id"], found["filename"], found["line_number"], found["issue_text"])
        for found in report["results"]
    ]


def installed() -> list[str]:
    """Return the packages that are installed here, except this project, as lines of a requirements file."""
    found = {found.name: found.version for found in distributions() if found.name != "wagtail-multihost"}
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def vulnerabilities() -> tuple[list[str], list[str]]:
    """Return the known vulnerabilities of the installed packages, and the packages that PyPI does not know."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(installed()))
        requirements.flush()
        words = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", BLACK_HOLE_SECONDS]
        command = [sys.executable, "-m", "pip_audit", *words, "--format", "json", "-r", requirements.name]
        completed = subprocess.run(command, check=False, capture_output=True, text=True)
    if not completed.stdout.strip():
        # It ends without a report where PyPI cannot be reached at all.
        return [], [f"everything: {completed.stderr.strip().splitlines()[-1:]}"]
    packages = json.loads(completed.stdout)["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or 'none'}"
        for package in packages
        for known in package.get("vulns", ())
    ]
    return found, [package["name"] for package in packages if "skip_reason" in package]


def main() -> int:
    points = list(open_points(bandit_findings(), answers()))
    found, unknown = vulnerabilities()
    print(*points, *found, sep="\n")
    print(f"bandit: {len(points)} open points; {len(answers())} findings are answered in {ANSWERS.name}.")
    print(f"pip-audit: {len(found)} known vulnerabilities.")
    if unknown:
        print(f"pip-audit: PyPI's database of vulnerabilities does not answer here for: {', '.join(unknown)}")
    return 1 if points or found else 0


if __name__ == "__main__":
    sys.exit(main())
