"""Nothing that a registry states becomes more of nginx's configuration than the value that it is: crossplane's word."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import texts
from tests.emitters.nginx_fields import FIELDS, plan_with
from wagtail_multihost.emitters import Plan
from wagtail_multihost.exceptions import MultihostError

# It needs crossplane, which only the tests of servers have.
pytestmark = pytest.mark.servers

#: What ends, opens or comments out something for nginx, and what it expands.
HOSTILE = (
    'a"',
    "a;b",
    "a}",
    "{a",
    "a\nb",
    "a\r",
    "#a",
    "a#b",
    "a\\",
    "'a'",
    "$host",
    "${host}",
    "~^a",
    "*.a",
    ".a",
    "a b",
    "a\x00b",
    "a\t",
    "é\u2028",
    "_",
    "",
    "default",
    "include",
    "/etc/*",
    "off;}\nload_module /a.so",
    'x";ssl_engine /a.so;"',
)
PIECES = st.sampled_from([*HOSTILE, "a", "/", ".", "example.org", "21m", "@(exec://x)"])
RAW = st.one_of(st.sampled_from(HOSTILE), st.lists(PIECES, max_size=4).map("".join), st.text(max_size=8))
TEXTS = st.builds(str.__add__, st.sampled_from(["", "/srv/", "/srv/"]), RAW).filter(bool)
#: An ordinary value of each field that is no path.
ORDINARY = {
    **dict.fromkeys(("nginx.http", "nginx.https"), "8080"),
    **dict.fromkeys(
        (f"nginx.{name}" for name in ("proxies", "purgers", "fronts", "resolvers", "health_from")), "10.0.0.9"
    ),
    **dict.fromkeys(("nginx.body_size", "own.body_size", "nginx.cache_size"), "1m"),
    **dict.fromkeys(("nginx.version", "nginx.user", "nginx.real_ip_header"), "1.22"),
    "nginx.user": "somebody",
    "nginx.real_ip_header": "X-Somebody",
    "codebase.static_url": "/files/",
    "codebase.media_url": "/files/",
    "codebase.health_prefix": "/files/",
    "site.id": "somebody",
    "site.hostnames": "somebody.example.org",
    "site.aliases": "somebody.example.org",
    "site.socket": "somebody.sock",
}
#: Fields whose text stands in the files as it is, or in a longer one.
SHOWN = frozenset(
    {
        *(f"nginx.{name}" for name in ("pid", "logs", "temp", "acme", "pages")),
        *("codebase.static_root", "platform.data", "platform.sockets", "site.storage", "tls.certificate", "tls.key"),
    }
)


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=20, deadline=None)
@given(value=TEXTS)
def test_hostile_value_is_refused_or_stays_one_value(field: str, value: str) -> None:
    """Whatever stands in a field is refused, or the files have the tree that an ordinary value would make."""
    try:
        found = trees(plan_with(field, value))
    except MultihostError:
        return
    ordinary = trees(plan_with(field, ORDINARY.get(field, "/srv/ordinary")))
    assert {path: shape(tree) for path, tree in found.items()} == {
        path.replace("somebody", "aurora") if field != "site.id" else path.replace("somebody", value): shape(tree)
        for path, tree in ordinary.items()
    }
    if field in SHOWN:
        assert any(str(Path(value)) in word for tree in found.values() for word in words(tree))


def trees(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Return each emitted file as crossplane reads it."""
    import crossplane

    found = {}
    with tempfile.TemporaryDirectory() as name:
        for path, text in texts("nginx", plan).items():
            file = Path(name, path.replace("/", "_"))
            file.write_text(text, encoding="utf-8")
            parsed = crossplane.parse(str(file), single=True, check_ctx=False, check_args=False, comments=False)
            assert parsed["status"] == "ok", parsed["errors"]
            found[path] = parsed["config"][0]["parsed"]
    return found


def shape(block: list[dict[str, Any]], *, values: bool = False) -> list[object]:
    """Return the directives of a block, how many arguments each has, and their blocks; keys of maps are values."""
    return [
        (
            "" if values else item["directive"],
            len(item["args"]),
            shape(item.get("block", []), values=item["directive"] in ("map", "geo")),
        )
        for item in block
    ]


def words(block: list[dict[str, Any]]) -> Iterator[str]:
    """Yield all arguments, as they are without quotes; crossplane leaves a doubled backslash doubled."""
    for item in block:
        yield from (word.replace("\\\\", "\\") for word in (item["directive"], *item["args"]))
        yield from words(item.get("block", []))
