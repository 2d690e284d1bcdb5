"""Text that PostgreSQL or JSON cannot hold is a problem of its key, at every entrance, and not an error."""

from __future__ import annotations

import pytest

from tests.control.fleet import Fleet
from wagtail_multihost.control.changes import CreateSite, EditPlatform, EditSite
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.texts import MOST_BYTES
from wagtail_multihost.exceptions import ConfigurationError

NUL, HALF = "a\x00b", "a\ud800b"


@pytest.mark.parametrize("text", [NUL, HALF], ids=["nul", "surrogate"])
@pytest.mark.parametrize(
    "path",
    [
        ("admins",),
        ("labels", "plan"),
        ("settings", "WAGTAIL_SITE_NAME"),
        ("hostnames",),
        ("nodes",),
        ("database", "host"),
        ("env", "NAME"),
        ("unknown",),
    ],
    ids=".".join,
)
def test_text_that_cannot_be_kept_is_a_problem(fleet: Fleet, path: tuple[str, ...], text: str) -> None:
    site = fleet.add("aurora")
    value = [text] if path[0] in ("admins", "hostnames", "nodes") else text
    with pytest.raises(ConfigurationError) as raised:
        fleet.apply(EditSite(site.uid, set_value(path, value)))
    assert str(raised.value).encode()
    assert "\x00" not in str(raised.value)


@pytest.mark.parametrize("text", [NUL, HALF], ids=["nul", "surrogate"])
def test_name_of_a_key_that_cannot_be_kept_is_a_problem(fleet: Fleet, text: str) -> None:
    site = fleet.add("aurora")
    for path in ((text,), ("labels", text), ("env", text), ("settings", text)):
        with pytest.raises(ConfigurationError) as raised:
            fleet.apply(EditSite(site.uid, set_value(path, "x")))
        assert str(raised.value).encode()
    with pytest.raises(ConfigurationError):
        fleet.apply(EditPlatform(merge_patch({text: "x"})))
    with pytest.raises(ConfigurationError):
        fleet.apply(EditPlatform(merge_patch({"project_settings": {"PAY": {"type": "string", "meaning": text}}})))
    with pytest.raises(ConfigurationError):
        fleet.apply(CreateSite(text, {"hostnames": ["b.example.com"]}))


@pytest.mark.parametrize("text", [NUL, HALF], ids=["nul", "surrogate"])
def test_reason_that_cannot_be_kept_is_cleaned(fleet: Fleet, text: str) -> None:
    fleet.add("aurora")
    with pytest.raises(ConfigurationError):
        fleet.apply(EditSite(fleet.site("aurora").uid, set_value(("admins",), ["a@example.com"])), reason=text)


def test_record_has_a_bound(fleet: Fleet) -> None:
    """Everyone who may change a site could otherwise fill the database, and the memory of every node."""
    site = fleet.add("aurora")
    before = fleet.revision
    many = [f"a{number}@example.com" for number in range(MOST_BYTES // 20)]
    with pytest.raises(ConfigurationError, match=f"Site aurora: The record has more than {MOST_BYTES} bytes"):
        fleet.apply(EditSite(site.uid, set_value(("admins",), many)), by=fleet.authority("ada", aurora="change"))
    with pytest.raises(ConfigurationError, match="Platform: The record has more than"):
        fleet.apply(EditPlatform(merge_patch({"nodes": dict.fromkeys(many, "10.0.0.1:80")})))
    with pytest.raises(ConfigurationError, match="Site borealis: The record has more than"):
        fleet.apply(CreateSite("borealis", {"hostnames": ["b.example.com"], "admins": many}))
    assert fleet.revision == before
    fleet.apply(EditSite(site.uid, set_value(("admins",), many[: len(many) // 2])))
