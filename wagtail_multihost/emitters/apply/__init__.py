"""Bringing emitted files into use: locked, validated, reloaded, verified, and rolled back when it does not work."""

from __future__ import annotations

from wagtail_multihost.emitters.apply.request import ApplyRequest, ApplyResult
from wagtail_multihost.emitters.apply.transaction import apply

__all__ = ["ApplyResult", "ApplyRequest", "apply"]
