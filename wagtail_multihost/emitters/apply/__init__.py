"""Putting emitted files into use: lock, validate, reload, verify, and roll back when that fails."""

from __future__ import annotations

from wagtail_multihost.emitters.apply.request import ApplyRequest, ApplyResult
from wagtail_multihost.emitters.apply.transaction import apply

__all__ = ["ApplyResult", "ApplyRequest", "apply"]
