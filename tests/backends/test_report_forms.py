"""What error reports show of a value, by its form: all of it but what is secret."""

from __future__ import annotations

from typing import Any

import pytest

from wagtail_multihost.backends.reports import SiteExceptionReporterFilter
from wagtail_multihost.resolver.explain import jsonable
from wagtail_multihost.resolver.masking import DEEPEST, MASK
from wagtail_multihost.spec.secret import Secret

URL = "redis://:hunter2@cache.internal/0"
SHOWN = f"redis://{MASK}@cache.internal/0"
COVERED = SiteExceptionReporterFilter.cleansed_substitute


def nested(depth: int) -> Any:
    value: Any = "text"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (b"text\xff", "text\ufffd"),
        ({"a": "b", 1: b"c"}, {"a": "b", 1: "c"}),
        (["a", ("b",)], ["a", ("b",)]),
        (("a",), ("a",)),
        ({"a"}, ("a",)),
        (frozenset({"a"}), ("a",)),
        (3, 3),
        (None, None),
        (Secret("hunter2"), COVERED),
        ({"a": Secret("hunter2")}, {"a": COVERED}),
    ],
)
def test_report_shows_values_in_their_forms(value: object, expected: object) -> None:
    """Lists stay lists, bytes become text, and a secret in any of them is covered."""
    assert SiteExceptionReporterFilter().without_credentials(value) == expected


@pytest.mark.parametrize("value", [URL, URL.encode(), [URL], {"a": (URL,)}])
def test_report_covers_passwords_in_addresses(value: object) -> None:
    """The rest of the address is shown."""
    shown = str(SiteExceptionReporterFilter().without_credentials(value))
    assert "hunter2" not in shown and "@cache.internal/0" in shown


def test_report_ends_where_a_value_is_too_deep() -> None:
    """A value that has itself in it does not hang the report."""
    assert str(SiteExceptionReporterFilter().without_credentials(nested(DEEPEST))).count("text") == 1
    assert "text" not in str(SiteExceptionReporterFilter().without_credentials(nested(DEEPEST + 1)))


class Own(dict[str, str]):
    """A table of a project's own, which may show more than it has."""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("password", "text", COVERED),
        ("password", "", ""),
        ("password", None, None),
        (
            "a",
            {"password": "text", 1: "b", "c": {"token": "text"}},
            {"password": COVERED, 1: "b", "c": {"token": COVERED}},
        ),
        ("a", ["b", ("c",), {"d"}, frozenset({"e"})], ["b", ["c"], ["d"], ["e"]]),
        ("a", [{"secret": "text"}], [{"secret": COVERED}]),
        ("a", URL, SHOWN),
        ("a", [URL.encode()], [SHOWN]),
        ("a", Secret("hunter2"), COVERED),
        ("a", 3, 3),
        ("a", Own(b="c"), Own(b="c")),
    ],
)
def test_variable_is_shown_in_its_form(name: str, value: object, expected: object) -> None:
    """Names cover what they tell of, at every depth; what is none of Python's own containers is left to itself."""
    assert SiteExceptionReporterFilter().variable(name, value) == expected


def test_variable_ends_where_it_is_too_deep() -> None:
    """What is below is covered, and not shown as it is."""
    for deepest, shown in ((DEEPEST, True), (DEEPEST + 1, False)):
        assert ("text" in str(SiteExceptionReporterFilter().variable("a", nested(deepest)))) is shown
        tables: object = "text"
        for _ in range(deepest):
            tables = {"a": tables}
        assert ("text" in str(SiteExceptionReporterFilter().variable("a", tables))) is shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Secret("hunter2"), MASK),
        ({"a": 1, 2: {"b": Secret("hunter2")}}, {"a": 1, "2": {"b": MASK}}),
        (3, 3),
        ("a", "a"),
        (None, "None"),
        (1.5, "1.5"),
    ],
)
def test_explanation_has_plain_values(value: object, expected: object) -> None:
    """What JSON has is kept, tables in full, and a secret is masked wherever it is."""
    assert jsonable(value) == expected
