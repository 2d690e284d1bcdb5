"""A probe that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wagtail_multihost.health.probe import Outcome, Probe, passed


@dataclass(frozen=True, kw_only=True)
class Idle(Probe):
    """Passes."""

    def measure(self) -> Iterator[Outcome]:
        yield passed()
