"""
JSON that clients send, read strictly: what two readers could understand differently, or no column can hold, is refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from wagtail_multihost.control.api.problems import RefusedRequestError
from wagtail_multihost.control.texts import can_be_kept
from wagtail_multihost.spec.identifiers import shown

LIMIT = 1024 * 1024
DEPTH = 20
#: Integers of PostgreSQL and of TOML.
LARGEST = 2**63 - 1
JSON_TYPES = ("application/json", "application/merge-patch+json")
NOT_JSON = f"The body must be JSON, and its Content-Type say so. Accepted: {', '.join(JSON_TYPES)}."
TOO_LARGE = f"The body has more than {LIMIT} bytes."
TOO_DEEP = f"The body is nested more than {DEPTH} levels deep."


class StrictParser(Parser):
    """Ninja's parser, with the rules of this module."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type not in JSON_TYPES:
            raise RefusedRequestError(415, NOT_JSON)
        if len(request.body) > LIMIT:
            raise RefusedRequestError(413, TOO_LARGE)
        return parse_json(request.body)  # type: ignore[return-value]  # pydantic refuses what is no object


def parse_json(body: bytes) -> object:
    """Return the value that ``body`` is. Raises RefusedRequestError with a sentence."""
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=unique_pairs,
            parse_int=parse_integer,
            parse_float=parse_number,
            parse_constant=refuse_constant,
        )
    except RecursionError:
        raise RefusedRequestError(400, TOO_DEEP) from None
    except ValueError as error:
        raise RefusedRequestError(400, f"The body is not JSON: {error}.") from None
    refuse_unwritable(value)
    return value


def unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedRequestError(400, f"The key {shown(twice)} is stated twice in one object.")
    return found


def parse_integer(text: str) -> int:
    # Not int() first: it is slow for long texts, and refuses them with a message of its own.
    if len(text) > 20 or abs(int(text)) > LARGEST:
        raise RefusedRequestError(400, f"The number {shown(text)} is too large.")
    return int(text)


def parse_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise RefusedRequestError(400, f"The number {shown(text)} is too large.")
    return number


def refuse_constant(text: str) -> object:
    raise RefusedRequestError(400, f"{text} is no value of JSON.")


def refuse_unwritable(value: object) -> None:
    """Refuse texts that PostgreSQL cannot hold, and nesting that readers of records need not walk."""
    level = [value]
    for _ in range(DEPTH):
        inner: list[object] = []
        for one in level:
            if isinstance(one, str):
                refuse_text(one)
            elif isinstance(one, dict):
                inner += [*one, *one.values()]
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = inner
    raise RefusedRequestError(400, TOO_DEEP)


def refuse_text(text: str) -> None:
    if not can_be_kept(text):
        raise RefusedRequestError(
            400, f"The text {shown(text)} cannot be kept: it has a NUL character, or half of a surrogate pair."
        )
