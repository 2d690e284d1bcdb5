"""The findings of the kit, and the report on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple


class Finding(NamedTuple):
    """
    One finding of a canary: what it had planted in the site ``source`` was reached from the site ``target``, as
    ``evidence`` says, because of ``setting``. If the setting is blank, the canary could not do its work.
    """

    canary: str
    setting: str
    evidence: str
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.canary}: from {self.source} to {self.target}: {self.evidence}"


class IsolationError(AssertionError):
    """Two sites are not isolated, or a canary failed; ``findings`` is a tuple of :class:`Finding`."""

    def __init__(self, settings: str, findings: Iterable[Finding]) -> None:
        self.settings = settings
        self.findings = tuple(findings)
        super().__init__(format_report(settings, self.findings))

    @property
    def crossings(self) -> tuple[Finding, ...]:
        """The findings about what crossed."""
        return tuple(finding for finding in self.findings if finding.setting)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings about canaries that failed."""
        return tuple(finding for finding in self.findings if not finding.setting)


def format_report(settings: str, findings: Sequence[Finding]) -> str:
    """Return a text with the settings that cause the crossings, and below each setting what crossed."""
    crossings = sorted((finding for finding in findings if finding.setting), key=lambda finding: finding.setting)
    failures = [finding for finding in findings if not finding.setting]
    lines = []
    if crossings:
        lines += [f"Sites of {settings} are not isolated:"]
        for setting, group in groupby(crossings, lambda finding: finding.setting):
            lines += [f"  {setting}", *(f"    - {finding}" for finding in group)]
    if failures:
        lines += ["Canaries that failed:", *(f"    - {finding}" for finding in failures)]
    return "\n".join(lines)
