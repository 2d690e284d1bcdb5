"""Paths of unix sockets, whose length systems and servers limit."""

from __future__ import annotations

from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown


def refuse_long_path(path: str, most: int, advice: str) -> None:
    """Raise RenderError, with ``advice``, for a path of more than ``most`` bytes."""
    if len(path.encode()) > most:
        raise RenderError(
            f"The socket path {shown(path)} has {len(path.encode())} bytes; at most {most} are accepted. {advice}"
        )
