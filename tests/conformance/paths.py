"""Hosts and paths, and what of them reaches the application."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.behaviours import CLOSED, Behaviour, Difference, Wanted, alone, raw, request
from tests.servers.chain import HOST

CLOSE = "Connection: close"
NOBODYS = alone("uWSGI's router has to ask somebody: a vassal of its own answers for hosts of nobody.", Wanted(404))
DOLLAR = alone(
    "A path with a dollar sign is not set anew, because uWSGI would expand names of variables in it.", Wanted(400)
)
DOTS = alone(
    "The router resolves dot segments that are written out, and browsers send no others "
    "(https://url.spec.whatwg.org/#double-dot-path-segment).",
    Wanted(400),
)


def host(name: str, value: str, wanted: Wanted, differs: Mapping[str, Difference] | None = None) -> Behaviour:
    return Behaviour(name, (request("/a/?b=c", host=value),), (wanted,), differs or {})


def path(
    name: str,
    target: str,
    note: str = "",
    query: str = "",
    *,
    hears: str,
    differs: Mapping[str, Difference] | None = None,
) -> Behaviour:
    """Return what a target of a request makes the application hear as its path."""
    wanted = Wanted(200, note, told={"PATH_INFO": hears, "QUERY_STRING": query})
    return Behaviour(name, (request(target),), (wanted,), differs or {})


def text(value: str) -> str:
    """Return a path as WSGI has it: its bytes as Latin-1."""
    return value.encode().decode("latin-1")


BEHAVIOURS = (
    host("The host name in capitals", HOST.upper(), Wanted(200)),
    host("A host name with a final dot", f"{HOST}.", Wanted(200)),
    host("A host name with a port", f"{HOST}:80", Wanted(200)),
    host(
        "The second host name",
        f"www.{HOST}",
        Wanted(301, "to the first", headers=(f"Location: http://{HOST}/a/?b=c",)),
    ),
    host(
        "The second host name in capitals, with a final dot",
        f"WWW.{HOST.upper()}.",
        Wanted(301, "to the first", headers=(f"Location: http://{HOST}/a/?b=c",)),
    ),
    host("An unknown host", "unknown.example.org", Wanted(CLOSED), NOBODYS),
    host("The machine's address as host", "127.0.0.1", Wanted(CLOSED), NOBODYS),
    host("Two names as host", f"{HOST}, x.example.org", Wanted(400), NOBODYS),
    Behaviour(
        "Two fields of a host",
        (raw("GET / HTTP/1.1", f"Host: {HOST}", "Host: unknown.example.org", CLOSE),),
        (Wanted(400),),
        NOBODYS,
    ),
    Behaviour("HTTP/1.1 without a host", (raw("GET / HTTP/1.1", CLOSE),), (Wanted(400),), NOBODYS),
    Behaviour("HTTP/1.0 without a host", (raw("GET / HTTP/1.0"),), (Wanted(CLOSED),), NOBODYS),
    Behaviour("HTTP/1.0 with a host", (raw("GET / HTTP/1.0", f"Host: {HOST}"),), (Wanted(200),)),
    Behaviour(
        "An absolute address",
        (request(f"http://{HOST}/a"),),
        (Wanted(200, told={"PATH_INFO": "/a"}),),
        alone("The router would take all of it for the path. Only clients of proxies send it.", Wanted(400)),
    ),
    path("Slashes twice", "//a///b//", "merged", hears="/a/b/"),
    path(
        "Ten slashes, in many places",
        "//a//b//c//d//e//f//g//h//i//j",
        "merged",
        hears="/a/b/c/d/e/f/g/h/i/j",
        differs=alone("Slashes are merged in four places: each takes room in the packet of the request.", Wanted(400)),
    ),
    path("`%2F` beside a slash", "/a/%2Fb", "merged", hears="/a/b"),
    path("`%2F` in a name", "/a%2Fb", "a slash", hears="/a/b"),
    path("Dot segments", "/a/./b/../c", "resolved", hears="/a/c"),
    path("Dot segments with percent signs", "/a/%2e/b/%2E%2e/c", "resolved", hears="/a/c", differs=DOTS),
    Behaviour(
        "Dot segments above the root",
        (request("/a/../../b"),),
        (Wanted(400),),
        alone("The router stops at the root, as browsers do.", Wanted(200, "resolved", told={"PATH_INFO": "/b"})),
    ),
    path("Dots in a name", "/a../..b/c.d/...", "kept", hears="/a../..b/c.d/..."),
    Behaviour("`%00`", (request("/a%00b"),), (Wanted(400),)),
    Behaviour("A percent sign alone", (request("/a%zzb"),), (Wanted(400),)),
    path("A plus sign", "/a+b", "kept", hears="/a+b"),
    path("`%20` and `%2B`", "/a%20b%2Bc", "decoded once", hears="/a b+c"),
    path("`%2520`", "/a%2520b", "decoded once", hears="/a%20b"),
    path("`%3F` and `%23` before a query", "/a%3Fb%23c?d=e", "decoded, and no query", "d=e", hears="/a?b#c"),
    path("`%0D%0A` and a header in a path", "/a%0D%0AHost:%20b/%0Ac", "kept in the path", hears="/a\r\nHost: b/\nc"),
    path("`%0A` at the end, after slashes twice", "/a//b%0A", "kept", hears="/a/b\n"),
    path("`%5C` and a semicolon", "/a%5C..%5Cb;c=d", "kept", hears="/a\\..\\b;c=d"),
    path("`%24` and a dollar sign", "/%24{HOST}/${HTTP_HOST}/$1", "kept", hears="/${HOST}/${HTTP_HOST}/$1"),
    path("Slashes twice, and a dollar sign", "//${HTTP_HOST}//$1", "merged", hears="/${HTTP_HOST}/$1", differs=DOLLAR),
    path("A path in UTF-8", "/caf%C3%A9/%F0%9F%90%A6/", hears=text("/café/🐦/")),
    path("A path in UTF-8 without percent signs", "/café/", hears=text("/café/")),
    path("A path in Latin-1", "/caf%E9/", hears="/caf\xe9/"),
    path("A question mark alone", "/a?", hears="/a"),
    path("An empty parameter", "/a?b=&c", hears="/a", query="b=&c"),
    path("A query with slashes, dots and percent signs", "/a?b=//../%2F+%20", "kept", "b=//../%2F+%20", hears="/a"),
    path("Several question marks", "/a?b?c", hears="/a", query="b?c"),
    Behaviour("A fragment", (request("/a#b"),), (Wanted(200, "left out", told={"PATH_INFO": "/a"}),)),
    Behaviour("The health endpoint", (request("/-/live/"),), (Wanted(404),)),
    Behaviour("The health endpoint, its slashes twice", (request("//-//live/"),), (Wanted(404),)),
    Behaviour("The health endpoint, in percent signs", (request("/%2D/live/"),), (Wanted(404),)),
    Behaviour("The health endpoint, by dot segments", (request("/x/../-/live/"),), (Wanted(404),)),
    Behaviour("The health endpoint, with `%0A` at its end", (request("/-/live/%0A"),), (Wanted(404),)),
    Behaviour("nginx's own places", (request("/-/files/documents/private.txt"),), (Wanted(404),)),
)
