"""What a platform must not have where visitors come: facts that system checks and emitting commands both tell."""

from __future__ import annotations

from typing import NamedTuple


class ProductionFinding(NamedTuple):
    """A sentence that says what was found, and a ``hint`` that says what is accepted."""

    sentence: str
    hint: str
