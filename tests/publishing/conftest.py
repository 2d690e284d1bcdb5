"""Registries in files of a temporary folder."""

from __future__ import annotations

from tests.registry.conftest import registry

__all__ = ["registry"]
