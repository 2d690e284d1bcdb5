"""Byte ranges of uploads behind uWSGI's own router: Safari and iOS play no video without them."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.processes import free_port, wait_for
from tests.servers.router import BUILDS, emperor, get, local_plan

pytestmark = pytest.mark.servers

HOST = "aurora.example.org"
CONTENT = bytes(range(250)) * 20
FILED = """
import tempfile

def application(environ, start_response):
    file = tempfile.TemporaryFile()
    file.write(b"y" * 3000)
    file.seek(0)
    start_response("200 OK", [("Content-Length", "3000")])
    return environ["wsgi.file_wrapper"](file, 4096)
"""


@pytest.fixture(name="port", scope="module", params=BUILDS)
def _port(request: pytest.FixtureRequest) -> Iterator[int]:
    """One site with a video among its uploads, whose application serves a file too."""
    with tempfile.TemporaryDirectory(prefix="mh") as name:
        folder, port = Path(name), free_port()
        plan = local_plan(folder, request.param, port)
        (plan.codebase.directory / "trivial/wsgi.py").write_text(FILED)
        media = plan.sites[0].storage.path
        assert media
        (media / "v.mp4").write_bytes(CONTENT)
        with emperor(plan, folder, request.param):
            wait_for(lambda: get(port, "/")[0] == 200, "the site")
            yield port


def ranged(port: int, path: str, asked: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Return the status, Content-Range and body of a request for a part of a file."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": HOST} | ({"Range": f"bytes={asked}"} if asked else {}))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Range", ""), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-1", 0, 1), ("5-", 5, 4999), ("-5", 4995, 4999), ("4990-9000", 4990, 4999), ("7-7", 7, 7)],
)
def test_part_of_an_upload_is_sent(port: int, asked: str, first: int, last: int) -> None:
    """206 with the very bytes, and where they stand in the whole."""
    assert ranged(port, "/media/v.mp4", asked) == (206, f"bytes {first}-{last}/5000", CONTENT[first : last + 1])


def test_whole_upload_says_that_parts_can_be_asked_for(port: int) -> None:
    """Without Range, or with one of all bytes, all of it; a part behind its end is refused with its size."""
    assert ranged(port, "/media/v.mp4", "0-") == (200, "", CONTENT)
    assert ranged(port, "/media/v.mp4", "") == (200, "", CONTENT)
    assert ranged(port, "/media/v.mp4", "6000-")[:2] == (416, "bytes */5000")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("HEAD", "/media/v.mp4", headers={"Host": HOST})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert (answer.headers["Accept-Ranges"], answer.headers["Content-Length"]) == ("bytes", "5000")


def test_answer_of_the_application_is_never_cut(port: int) -> None:
    """What the application sends is its own: a range is for it to heed, in a file that it hands over too."""
    assert ranged(port, "/", "0-1") == (200, "", b"y" * 3000)
