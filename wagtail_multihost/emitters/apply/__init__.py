"""Bringing emitted files into use: locked, validated, reloaded, verified, and rolled back when it does not work."""

from __future__ import annotations

from wagtail_multihost.emitters.apply.transaction import apply
from wagtail_multihost.emitters.apply.wish import Result, Wish

__all__ = ["Result", "Wish", "apply"]
