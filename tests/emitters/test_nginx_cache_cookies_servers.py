"""Which cookies keep a visitor from kept pages: every one that Django's own parser finds, however it is spelled."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http.cookie import parse_cookie
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_site
from tests.emitters.test_nginx_content_servers import AURORA, Application, folder, local_plan, serving

__all__ = ["folder"]
pytestmark = pytest.mark.servers

#: A name that the site had before.
KEPT = "sid.x-1"
NAMES = ("sessionid_aurora", "__Host-csrftoken_aurora", "django_language_aurora", "messages", KEPT)
numbers = itertools.count()
blanks = st.text(st.characters(codec="utf-8", categories=("Zs", "Zl", "Zp", "Cc")), max_size=3)
pieces = st.one_of(
    blanks,
    st.sampled_from([*NAMES, "=", "; ", ";", ",", '"', "x=1", "_aurora", "sessionid_", "aurora"]),
    st.text(max_size=3),
)
headers = st.one_of(
    st.tuples(blanks, st.sampled_from(NAMES), blanks).map(lambda parts: f"x=1;{''.join(parts)}=1"),
    st.lists(pieces, max_size=8).map("".join),
)


def found_by_django(header: bytes) -> bool:
    """Return whether Django, which decodes a header so, finds a cookie of the site in it."""
    names = parse_cookie(header.decode(errors="replace"))
    return any(name in NAMES for name in names)


@pytest.fixture(name="front")
def _front(folder: Path) -> Iterator[tuple[Path, Application]]:
    aurora = Application()
    with serving(
        local_plan(folder, make_site("aurora", session_cookie=KEPT), options={"cache": 60}), folder, aurora=aurora
    ):
        yield folder, aurora


def status_with(folder: Path, path: str, cookie: bytes) -> bytes:
    """Ask for ``path`` with the bytes of a Cookie header as they are; return the status."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(f"{folder}/http.sock")
        connection.sendall(
            b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nCookie: %b\r\n\r\n"
            % (path.encode(), AURORA.encode(), cookie)
        )
        received = b""
        while block := connection.recv(65536):
            received += block
    return received[9:12]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(header=headers)
@example(header="sessionid_aurora\x1c=1")
@example(header="sessionid_aurora\xa0=1")
@example(header="a=1;\u2003__Host-csrftoken_aurora\u3000=1")
@example(header="a=1; messages =1")
@example(header="\x85messages=1")
@example(header='x="; sessionid_aurora=1')
@example(header="a=1; sid.x-1 =1")
@example(header="sid.x-1=1")
def test_no_page_is_kept_for_or_given_to_a_visitor_whose_cookies_django_finds(
    front: tuple[Path, Application], header: str
) -> None:
    """nginx neither answers from what it keeps, nor keeps the answer."""
    place, aurora = front
    sent = header.encode("utf-8", "replace")
    assume(found_by_django(sent.strip(b" \t")) and not set(sent) & set(b"\0\r\n"))
    path = f"/{next(numbers)}"
    assert status_with(place, path, sent) == b"200"
    assert status_with(place, path, b"") == b"200" and aurora.seen[path] == 2, "The answer was kept."
    assert status_with(place, path, b"_ga=1; theme=dark") == b"200" and aurora.seen[path] == 2, "Nothing is kept."
    assert status_with(place, path, sent) == b"200" and aurora.seen[path] == 3, "The kept page was given."
