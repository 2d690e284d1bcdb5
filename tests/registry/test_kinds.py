"""What a value of a registry is called, where another one is wanted."""

from __future__ import annotations

import datetime

import pytest

from wagtail_multihost.registry.record import type_name


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("x", "text"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a float"),
        ([], "an array"),
        ({}, "a table"),
        (datetime.date(2026, 1, 1), "a date"),
        (datetime.time(1, 2), "a date"),
    ],
)
def test_kind_of_a_value_has_a_word(value: object, word: str) -> None:
    """It is TOML's, not Python's."""
    assert type_name(value) == word
