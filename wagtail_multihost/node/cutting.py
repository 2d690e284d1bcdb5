"""Texts in reports: the database counts the bytes of their JSON, and takes no report that has too many."""

from __future__ import annotations

import json

QUOTES = 2


def json_size(text: str) -> int:
    """Return how many bytes a text takes as JSON in UTF-8, with its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def cut_text(text: str, most: int) -> str:
    """Return as much of the beginning of a text as takes at most so many bytes as JSON."""
    if json_size(text) <= most:
        return text
    size = QUOTES
    for index, letter in enumerate(text):
        size += json_size(letter) - QUOTES
        if size > most:
            return text[:index]
    return text
