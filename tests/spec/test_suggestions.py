"""What is suggested for a word that is not accepted."""

from __future__ import annotations

import pytest

from wagtail_multihost.spec.suggestions import closest, suggest

ACCEPTED = ("nginx", "uwsgi", "systemd", "hostnames", "TIME_ZONE", "DATETIME_FORMAT", "SECURE_HSTS_PRELOAD", "app-one")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("ngnix", "nginx"),
        ("nginxx", "nginx"),
        ("Nginx", "nginx"),
        ("hostname", "hostnames"),
        ("time_zone", "TIME_ZONE"),
        ("TIMEZONE", "TIME_ZONE"),
        ("app_one", "app-one"),
        ("sytemd", "systemd"),
    ],
)
def test_misspelling_gets_a_suggestion(word: str, meant: str) -> None:
    """In any case, and with either dash."""
    assert closest(word, ACCEPTED) == meant
    assert suggest(word, ACCEPTED) == f" Did you mean {meant}?"


@pytest.mark.parametrize(
    "word", ["apache", "DATETIME_INPUT_FORMATS", "SECURE_HSTS_SECONDS", "DEBUG", "hosts", "", "zone"]
)
def test_another_word_gets_none(word: str) -> None:
    """A suggestion that misleads is worse than none."""
    assert closest(word, ACCEPTED) == suggest(word, ACCEPTED) == ""
    assert closest(word, ()) == ""
