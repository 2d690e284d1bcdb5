"""What a value of a registry is called, where another one is wanted."""

from __future__ import annotations

import datetime

import pytest

from wagtail_multihost.spec.type_words import type_name


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("x", "a string"),
        (True, "true or false"),
        (1, "a whole number"),
        (1.5, "a number with a decimal point"),
        ([], "a list"),
        ({}, "a table"),
        (datetime.date(2026, 1, 1), "a date"),
        (datetime.time(1, 2), "a date"),
    ],
)
def test_kind_of_a_value_has_a_word(value: object, word: str) -> None:
    """It is an administrator's, not Python's."""
    assert type_name(value) == word
