"""Values of records as text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.control.dashboard.record_text import choices_of, shape_of, text_of, value_of
from wagtail_multihost.registry.keys import PLATFORM, SITE, Key, declared

KEYS = {(key.table, key.name): key for key in declared()}
LABELS, ADMINS = KEYS[SITE, "labels"], KEYS[SITE, "admins"]
DECLARATIONS = KEYS[PLATFORM, "project_settings"]
EPOCH, PORT = KEYS[SITE, "epoch"], KEYS["database", "port"]
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)
NAMES = st.from_regex(r"[A-Z_]{1,8}", fullmatch=True)
LITERALS = st.one_of(TEXTS, st.booleans(), st.integers(-(10**9), 10**9), st.lists(TEXTS, max_size=3))


@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4))
def test_names_and_texts_come_back(table: dict[str, str]) -> None:
    assert value_of(LABELS, text_of(LABELS, table)) == table


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_items_come_back(items: list[str]) -> None:
    assert value_of(ADMINS, text_of(ADMINS, items)) == items


@given(st.dictionaries(NAMES, st.dictionaries(st.sampled_from(["type", "default"]), LITERALS, min_size=1), min_size=1))
def test_declarations_come_back(table: dict[str, dict[str, object]]) -> None:
    assert value_of(DECLARATIONS, text_of(DECLARATIONS, table)) == table


@given(st.text())
def test_no_text_is_an_accident(text: str) -> None:
    """Whatever is entered is a value that the database can keep, or refused with a sentence."""
    for key in (LABELS, ADMINS, DECLARATIONS, EPOCH, KEYS["settings", "TIME_ZONE"]):
        try:
            value = value_of(key, text)
        except ValueError as error:
            assert str(error).endswith(".")
            continue
        stored = json.dumps(value, ensure_ascii=False, allow_nan=False)
        assert "\\u0000" not in stored.replace("\\\\", "")
        stored.encode()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        (EPOCH, "7", 7),
        (EPOCH, "seven", "seven"),
        (EPOCH, "\u0667", "\u0667"),
        (EPOCH, "9" * 5000, "9" * 5000),
        (EPOCH, "", None),
        (KEYS["cache", "tls"], "true", True),
        (KEYS["cache", "tls"], "perhaps", "perhaps"),
        (ADMINS, "a@example.com\r\n\r\n b@example.com ", ["a@example.com", "b@example.com"]),
        (LABELS, "plan = gold\r\nnote = a = b", {"plan": "gold", "note": "a = b"}),
        (DECLARATIONS, "A.default = 1e999\nA.type = string", {"A": {"default": "1e999", "type": "string"}}),
        (DECLARATIONS, f"A.default = {'[' * 100000}", {"A": {"default": "[" * 100000}}),
    ],
)
def test_text_is_read(key: Key, text: str, value: object) -> None:
    assert value_of(key, text) == value


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        (LABELS, "plan = gold\nsilver", "Line 2 is not accepted: write NAME = value."),
        (LABELS, "plan = gold\nplan = silver", "Line 2 is not accepted: plan has a value already."),
        (LABELS, '"plan" no = gold', "Line 1 is not accepted: write NAME = value."),
        (LABELS, 'plan = "\\ud800"', "It has a character that cannot be kept, such as a zero byte."),
        (LABELS, "plan = a\0b", "It has a character that cannot be kept, such as a zero byte."),
        (DECLARATIONS, "COLOUR = red", "Line 1 is not accepted: write NAME.key = value"),
    ],
)
def test_text_that_states_nothing_is_refused(key: Key, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        value_of(key, text)


def test_shapes_are_those_of_the_declared_types() -> None:
    assert shape_of(KEYS["database", "engine"]) == "choice"
    assert choices_of(KEYS["database", "engine"]) == ("sqlite", "postgresql")
    assert choices_of(KEYS["cache", "tls"]) == ("true", "false")
    assert shape_of(KEYS[SITE, "secret_key_fallbacks"]) == "lines"
    assert shape_of(KEYS[PLATFORM, "nodes"]) == "pairs"
    assert shape_of(PORT) == "line"
