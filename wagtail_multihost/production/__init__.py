"""What a platform must not have in production: findings that system checks and emitting commands both report."""

from __future__ import annotations

from typing import NamedTuple


class ProductionFinding(NamedTuple):
    """A sentence that says what was found, and a ``hint`` that says what is accepted."""

    sentence: str
    hint: str
