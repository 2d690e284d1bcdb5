"""The form in which snapshots are digested and signed: another machine, with another version, must come to the same."""

from __future__ import annotations

import pytest

from wagtail_multihost.registry.snapshot import digest_of, signed_content

DOCUMENT = {
    "site": {"id": "aurora", "settings": {"WAGTAIL_SITE_NAME": "Äurora"}, "hostnames": ["a", "b"]},
    "format": 1,
    "digest": "sha256:left out",
    "signature": "left out",
    "created": "2026-05-01T12:00:00+00:00",
}
SITE = '"site":{"hostnames":["a","b"],"id":"aurora","settings":{"WAGTAIL_SITE_NAME":"Äurora"}}'


def test_content_has_one_form() -> None:
    """Keys are sorted, nothing is between them, characters are UTF-8, and the seals are no part of it."""
    assert signed_content(DOCUMENT).decode() == f'{{"created":"2026-05-01T12:00:00+00:00","format":1,{SITE}}}'
    assert signed_content(dict(reversed(DOCUMENT.items()))) == signed_content(DOCUMENT)
    assert signed_content({"a": "\udcff"}) == b'{"a":"\xed\xb3\xbf"}'


@pytest.mark.parametrize("key", ["created", "format", "site"])
def test_content_may_leave_keys_out(key: str) -> None:
    """What a comparison passes over is not in it; all else is."""
    assert f'"{key}":' not in signed_content(DOCUMENT, key).decode()
    assert sum(f'"{other}":' in signed_content(DOCUMENT, key).decode() for other in ("created", "format", "site")) == 2


def test_digest_is_of_the_content() -> None:
    """Its algorithm is named; it is the same for a document that has a digest and one that has none."""
    bare = {name: value for name, value in DOCUMENT.items() if name not in ("digest", "signature")}
    assert digest_of(DOCUMENT) == digest_of(bare)
    assert digest_of(DOCUMENT) == "sha256:0098cfb9b60cdbb8f1c58b0395df1f69eee8c79bac99f53b8191a2cead9f9f4c"
    assert digest_of({**DOCUMENT, "format": 2}) != digest_of(DOCUMENT)
