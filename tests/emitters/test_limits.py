"""What the front server lets through, and whether everybody behind it takes as much."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.limits import more_than
from wagtail_multihost.spec.nginx import NginxOptions

NODES = (("app-1", "10.0.0.5:8080"),)


def planned(runner: str, node: str = "", nodes: tuple[tuple[str, str], ...] = ()) -> Plan:
    platform = make_platform(runner=runner, nodes=nodes, nginx=NginxOptions(fronts=("10.0.0.4",)))
    return make_plan(make_site("aurora"), platform=platform, node=node)


def number(text: str, pattern: str) -> int:
    """Return the number that a pattern finds, of bytes where a ``k`` follows it."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return int(found[1].removesuffix("k")) * (1024 if found[1].endswith("k") else 1)


def front(plan: Plan) -> dict[str, int]:
    """Return what nginx takes: the longest field, and all fields."""
    text = texts("nginx", plan)["nginx/nginx.conf"]
    field = number(text, r"^    large_client_header_buffers \d+ (\d+k);")
    return {"field": field, "buffers": number(text, r"^    large_client_header_buffers (\d+) ") * field}


@pytest.mark.parametrize("size", [1, 9, 10, 1990, 32_768, 65_535])
def test_pattern_matches_every_larger_number_alone(size: int) -> None:
    """nginx compares numbers by a pattern, and no number below or at the limit matches it."""
    pattern = re.compile(more_than(size).removeprefix("~"))
    for value in {*range(max(0, size - 1200), size + 1200), 0, size * 9, size * 10, size * 11, 10**9}:
        assert bool(pattern.search(str(value))) == (value > size), value


def test_uwsgi_takes_every_request_that_nginx_lets_through() -> None:
    """In its protocol the address is there twice, and the shortest field, of four bytes, has ten."""
    ini = texts("uwsgi", planned("uwsgi"))["uwsgi/aurora.ini"]
    maps = texts("nginx", planned("uwsgi"))["nginx/maps.conf"]
    url = number(maps, r'"~\^\.\{(\d+)\}" on;') - 1
    buffer, variables = number(ini, r"^buffer-size = (\d+)$"), number(ini, r"^max-vars = (\d+)$")
    assert buffer == 65_535
    # Fields of ten bytes, as most are longer; nginx itself takes a thousand at most since the repair of CVE-2026-49975.
    assert 32_768 * 16 // 10 + url + 2048 < buffer
    assert variables * 2 * 10 >= buffer


def test_gunicorn_takes_every_request_that_nginx_lets_through() -> None:
    """As many fields, as long ones, and any address."""
    conf = texts("systemd", planned("gunicorn"))["systemd/gunicorn.conf.py"]
    assert number(conf, r"^limit_request_line = (\d+)$") == 0
    assert number(conf, r"^limit_request_fields = (\d+)$") * 4 >= 32_768
    assert number(conf, r"^limit_request_field_size = (\d+)$") > front(planned("gunicorn"))["field"]


@pytest.mark.parametrize("runner", ["uwsgi", "gunicorn"])
def test_node_takes_what_the_front_server_lets_through_and_adds(runner: str) -> None:
    """The front server decides; its node has no limit of its own that is reached earlier."""
    asks, node = planned(runner, nodes=NODES), planned(runner, "app-1", NODES)
    assert front(node)["field"] > front(asks)["field"]
    assert front(node)["buffers"] > front(asks)["buffers"]
    maps = [texts("nginx", plan)["nginx/maps.conf"] for plan in (asks, node)]
    assert ["$multihost_has_large_head" in text for text in maps] == [True, False]
    assert "client_max_body_size 20m;" in texts("nginx", node)["nginx/nginx.conf"]


@pytest.mark.parametrize(("runner", "nodes"), [("uwsgi", ()), ("gunicorn", ()), ("uwsgi", NODES)])
def test_nginx_has_room_for_the_headers_of_an_answer(runner: str, nodes: tuple[tuple[str, str], ...]) -> None:
    """The buffer has room for the headers, the key of a kept page and what a node adds; the body has smaller ones."""
    text = "".join(texts("nginx", planned(runner, nodes=nodes)).values())
    module = "proxy" if nodes or runner == "gunicorn" else "uwsgi"
    size = number(text, rf"^ *{module}_buffer_size (\d+k);")
    assert size >= 32_768 + 8192 + 1024
    assert number(text, rf"^ *{module}_busy_buffers_size (\d+k);") == size
    count, each = number(text, rf"^ *{module}_buffers (\d+) "), number(text, rf"^ *{module}_buffers \d+ (\d+k);")
    assert (count - 1) * each > size


def test_refusals_are_in_every_server() -> None:
    """Whichever server a request is in when its headers turn out to be too large, the answer is 431."""
    emitted = texts("nginx", make_plan(make_site("aurora", nginx=(("body_size", "1m"),)), make_site("borealis")))
    assert emitted["nginx/rules.conf"].count("include large.conf;") == 1
    assert emitted["nginx/nginx.conf"].count("include large.conf;") == 1
    assert "error_page 494 =431 @multihost_large;" in emitted["nginx/large.conf"]


def test_body_is_read_to_its_end_by_whoever_runs_the_site() -> None:
    """A socket that is closed with a part of the body in it is a failure to nginx, whatever was answered before."""
    assert number(texts("uwsgi", planned("uwsgi"))["uwsgi/aurora.ini"], r"^post-buffering = (\d+)$") >= 100_000
    conf: dict[str, Any] = {}
    text = texts("systemd", planned("gunicorn"))["systemd/gunicorn.conf.py"]
    exec(text[text.index("def post_request") :], conf)  # nothing but the hook
    body = io.BytesIO(b"b" * 200_000)
    conf["post_request"](None, None, {"wsgi.input": body}, None)
    assert body.tell() == 200_000
