"""What the kit says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple


class Finding(NamedTuple):
    """
    One thing that a canary told: what it had planted at the site ``source`` was met from the site ``target``, as
    ``evidence`` says, because of ``setting``. A blank setting: the canary could not do its work.
    """

    canary: str
    setting: str
    evidence: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.canary}: from {self.source} to {self.target}: {self.evidence}"


class IsolationError(AssertionError):
    """Two sites are not isolated, or a canary could not tell; ``findings`` is a tuple of :class:`Finding`."""

    def __init__(self, settings: str, findings: Iterable[Finding]) -> None:
        self.settings = settings
        self.findings = tuple(findings)
        super().__init__(format_report(settings, self.findings))

    @property
    def crossings(self) -> tuple[Finding, ...]:
        """What crossed."""
        return tuple(finding for finding in self.findings if finding.setting)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What could not be told."""
        return tuple(finding for finding in self.findings if not finding.setting)


def format_report(settings: str, findings: Sequence[Finding]) -> str:
    """Return a text that has the settings which are behind the crossings, and below each what crossed."""
    crossings = sorted((finding for finding in findings if finding.setting), key=lambda finding: finding.setting)
    failures = [finding for finding in findings if not finding.setting]
    lines = []
    if crossings:
        lines += [f"Sites of {settings} are not isolated:"]
        for setting, group in groupby(crossings, lambda finding: finding.setting):
            lines += [f"  {setting}", *(f"    - {finding}" for finding in group)]
    if failures:
        lines += ["Canaries that could not tell:", *(f"    - {finding}" for finding in failures)]
    return "\n".join(lines)
