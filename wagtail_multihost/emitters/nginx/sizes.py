"""What nginx takes of a request and of an answer, as its directives have it."""

from __future__ import annotations

from wagtail_multihost.emitters.limits import (
    ANSWER_BUFFER,
    BODY_BUFFER,
    BODY_BUFFERS,
    FIELD_BUFFERS,
    FIELD_BYTES,
    FRONT_SERVERS_FIELDS,
    REQUEST_BYTES,
    URL_BYTES,
    kilobytes,
    more_than,
)
from wagtail_multihost.emitters.nginx.front import Front


def request_size_values(front: Front) -> dict[str, object]:
    """Return what a request may have. A node takes all that the front server lets through, and what that one adds."""
    field = FIELD_BYTES + (FRONT_SERVERS_FIELDS if front.plan.node else 0)
    return {
        "field_buffers": FIELD_BUFFERS + (1 if front.plan.node else 0),
        "field_buffer": kilobytes(field),
    }


def size_pattern_values(front: Front) -> dict[str, object]:
    """Return by which maps the front server knows what is too much; a node leaves that to it."""
    return {
        "sizes": not front.plan.node,
        "large": more_than(REQUEST_BYTES),
        "long": f"~^.{{{URL_BYTES + 1}}}",
    }


def answer_size_values() -> dict[str, str]:
    """Return how much nginx sets aside for an answer: one buffer that holds all headers, and smaller ones."""
    return {
        "answer_buffer": kilobytes(ANSWER_BUFFER),
        "body_buffers": f"{BODY_BUFFERS} {kilobytes(BODY_BUFFER)}",
    }
