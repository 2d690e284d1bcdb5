"""What types of values are called: in messages, in the reference, and in the descriptions of the JSON Schema."""

from __future__ import annotations

STRING = "string"
STRINGS = "list of strings"
STRINGS_BY_NAME = "table of strings"
TRUE_OR_FALSE = "true or false"
WHOLE_NUMBER = "whole number"
TABLE = "table"
#: What a value of a file should be, where its type is another one.
WANTED = {
    str: f"a {STRING}",
    int: f"a {WHOLE_NUMBER} without quotes",
    bool: f"{TRUE_OR_FALSE} without quotes",
    list: f"a {STRINGS}",
    dict: f"a {TABLE}",
}
FOUND = {
    str: f"a {STRING}",
    int: f"a {WHOLE_NUMBER}",
    bool: TRUE_OR_FALSE,
    float: "a number with a decimal point",
    list: "a list",
    dict: f"a {TABLE}",
}


def type_name(value: object) -> str:
    """Return what the type of a value in a registry is called."""
    return FOUND.get(type(value), "a date")


def wrong_type(wanted: type, value: object) -> str:
    """Return the sentence that refuses a value of another type than the ``wanted`` one."""
    return f"It must be {WANTED[wanted]}, not {type_name(value)}."
