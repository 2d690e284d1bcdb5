"""How requests and answers follow each other on a connection, and what is no request."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.behaviours import CLOSED, Behaviour, Difference, Wanted, alone, behind, raw, request
from tests.conformance.exchange import Leave
from tests.servers.chain import HOST

HOST_LINE = f"Host: {HOST}"
CLOSE = "Connection: close"
#: uWSGI's own help says of http-keepalive that requests may not come at once.
ONE = "The router takes one request from a connection, and says so (`Connection: close`)."
NO_CHUNKS = alone(
    "The router passes chunks on as they are, and an application of WSGI reads no body without a length.", Wanted(411)
)
UNREAD = alone(
    "The router closes the connection for what it cannot read (plugins/http/http.c, http_headers_parse).",
    Wanted(CLOSED),
)
UNSAID = alone("uWSGI would begin its answer with whatever the client sent instead of the protocol.", Wanted(CLOSED))
LENIENT = alone("The router takes it, and nobody behind it reads it otherwise.", Wanted(200))
CHUNKS = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"


def chunked(*headers: str, method: str = "POST") -> bytes:
    return raw(f"{method} / HTTP/1.1", HOST_LINE, "Transfer-Encoding: chunked", CLOSE, *headers)


def refused(name: str, send: bytes, differs: Mapping[str, Difference] | None = None) -> Behaviour:
    return Behaviour(name, (send,), (Wanted(400),), differs or {})


BEHAVIOURS = (
    Behaviour("HEAD", (request("/", method="HEAD"),), (Wanted(200, "no body", body=b""),)),
    Behaviour(
        "OPTIONS", (request("/", method="OPTIONS"),), (Wanted(200, told={"REQUEST_METHOD": "OPTIONS", "body": 0}),)
    ),
    Behaviour("OPTIONS of the server", (request("*", method="OPTIONS"),), (Wanted(400),)),
    Behaviour("PUT", (request("/", method="PUT", body=b"12345"),), (Wanted(200, told={"body": 5}),)),
    Behaviour("DELETE", (request("/", method="DELETE"),), (Wanted(200, told={"REQUEST_METHOD": "DELETE"}),)),
    Behaviour("A method of nobody", (request("/", method="FROB"),), (Wanted(200, told={"REQUEST_METHOD": "FROB"}),)),
    Behaviour("TRACE", (request("/", method="TRACE"),), (Wanted(405),)),
    Behaviour("CONNECT", (raw("CONNECT aurora.example.org:80 HTTP/1.1", HOST_LINE, CLOSE),), (Wanted(400),)),
    Behaviour(
        "Two requests on a connection",
        (request("/", keeps=True), 0.05, request("/")),
        (Wanted(200),) * 2,
        alone(ONE, Wanted(200)),
    ),
    Behaviour(
        "Two requests at once", (request("/", keeps=True) + request("/"),), (Wanted(200),) * 2, alone(ONE, Wanted(200))
    ),
    Behaviour(
        "A body and a request at once",
        (request("/", method="POST", body=b"12345", keeps=True) + request("/a"),),
        (Wanted(200, told={"body": 5}), Wanted(200, told={"PATH_INFO": "/a"})),
        alone(ONE, Wanted(200, told={"body": 5})),
    ),
    Behaviour(
        "A body in chunks",
        (chunked() + CHUNKS,),
        (Wanted(200, "with its length", told={"body": 11, "CONTENT_LENGTH": "11"}),),
        NO_CHUNKS,
    ),
    refused("A body in chunks that are none", chunked() + b"zz\r\nhello\r\n0\r\n\r\n", NO_CHUNKS),
    refused("`Content-Length` and `Transfer-Encoding`", chunked("Content-Length: 5") + CHUNKS, NO_CHUNKS),
    Behaviour(
        "`Transfer-Encoding: gzip, chunked`",
        (raw("POST / HTTP/1.1", HOST_LINE, "Transfer-Encoding: gzip, chunked", CLOSE) + CHUNKS,),
        (Wanted(501),),
        NO_CHUNKS,
    ),
    refused(
        "Two different lengths",
        raw("POST / HTTP/1.1", HOST_LINE, "Content-Length: 5", "Content-Length: 6", CLOSE) + b"123456",
    ),
    refused("A length that is no number", raw("POST / HTTP/1.1", HOST_LINE, "Content-Length: x", CLOSE)),
    refused("A negative length", raw("POST / HTTP/1.1", HOST_LINE, "Content-Length: -1", CLOSE)),
    Behaviour("POST without a length", (request("/", method="POST"),), (Wanted(200, "no body", told={"body": 0}),)),
    Behaviour(
        "`Expect: 100-continue`",
        (raw("POST / HTTP/1.1", HOST_LINE, "Expect: 100-continue", "Content-Length: 5", CLOSE), 0.3, b"12345"),
        (Wanted(100), Wanted(200, told={"body": 5})),
    ),
    Behaviour(
        "A slow body",
        (raw("POST / HTTP/1.1", HOST_LINE, "Content-Length: 10", CLOSE), 0.4, b"12345", 0.4, b"67890"),
        (Wanted(200, told={"body": 10}),),
    ),
    Behaviour(
        "Slow headers",
        (
            f"GET / HTTP/1.1\r\n{HOST_LINE}\r\n".encode(),
            0.4,
            b"X-A: b\r",
            0.05,
            f"\n{CLOSE}\r\n\r".encode(),
            0.2,
            b"\n",
        ),
        (Wanted(200, told={"HTTP_X_A": "b"}),),
    ),
    Behaviour(
        "A client that leaves before the answer", (request("/sleep?seconds=0.3"), Leave(), request("/")), (Wanted(200),)
    ),
    Behaviour(
        "A client that leaves in the middle of its body",
        (raw("POST / HTTP/1.1", HOST_LINE, "Content-Length: 10", CLOSE) + b"123", Leave(), request("/")),
        (Wanted(200),),
    ),
    Behaviour(
        "An upgrade to WebSocket",
        (
            raw(
                "GET / HTTP/1.1",
                HOST_LINE,
                "Upgrade: websocket",
                "Connection: Upgrade, close",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
        ),
        (Wanted(200, "not upgraded", absent=("Upgrade", "Sec-WebSocket-Accept")),),
    ),
    Behaviour(
        "An upgrade to HTTP/2",
        (raw("GET / HTTP/1.1", HOST_LINE, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", CLOSE),),
        (Wanted(200, "not upgraded", absent=("Upgrade",)),),
    ),
    Behaviour(
        "A name with an underscore",
        (request("/", "X_Token: secret"),),
        (Wanted(200, "not heard", told={"HTTP_X_TOKEN": None}),),
        alone(
            "To the router an underscore is a hyphen. What the application reads of its visitor is stated afterwards.",
            Wanted(200, "heard", told={"HTTP_X_TOKEN": "secret"}),
        ),
    ),
    Behaviour(
        "A field twice",
        (request("/", "X-Token: a", "X-Token: b"),),
        (Wanted(200, "both heard", told={"HTTP_X_TOKEN": "a, b"}),),
        {
            **behind(
                "uwsgi",
                "nginx passes both on, and uWSGI gives its application the last.",
                Wanted(200, "the last", told={"HTTP_X_TOKEN": "b"}),
            ),
            **behind(
                "gunicorn",
                "gunicorn joins them without a blank.",
                Wanted(200, "both heard", told={"HTTP_X_TOKEN": "a,b"}),
            ),
        },
    ),
    Behaviour(
        "Cookies in two fields",
        (request("/", "Cookie: a=1", "Cookie: b=2"),),
        (Wanted(200, "both heard", told={"HTTP_COOKIE": "a=1; b=2"}),),
        alone(
            "The router joins fields by commas. Browsers send one field (RFC 6265, section 5.4).",
            Wanted(200, "joined by a comma", told={"HTTP_COOKIE": "a=1, b=2"}),
        ),
    ),
    Behaviour(
        "A field with UTF-8",
        (request("/", "X-Name: é"),),
        (Wanted(200, told={"HTTP_X_NAME": "é".encode().decode("latin-1")}),),
    ),
    Behaviour("A field without a value", (request("/", "X-Name:"),), (Wanted(200, told={"HTTP_X_NAME": ""}),)),
    refused("A line that is no field", request("/", "no field"), UNREAD),
    refused("A folded field", request("/", "X-Name: a", " b"), LENIENT),
    refused("A blank before the colon", request("/", "X-Name : a"), LENIENT),
    refused("No method", raw("/ HTTP/1.1", HOST_LINE, CLOSE), UNSAID),
    refused("A blank in the address", request("/a b"), UNSAID),
    refused("No such protocol", raw("GET / FTP/1.1", HOST_LINE, CLOSE), UNSAID),
    Behaviour("HTTP/2.0 in a line", (raw("GET / HTTP/2.0", HOST_LINE, CLOSE),), (Wanted(505),), UNSAID),
    refused("No request at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", UNREAD),
    Behaviour("An empty line before the request", (b"\r\n" + request("/"),), (Wanted(200),), UNREAD),
)
