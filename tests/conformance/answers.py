"""What an application answers, and how much of it reaches the visitor."""

from __future__ import annotations

from tests.conformance.application import LENGTH
from tests.conformance.behaviours import Behaviour, Wanted, alone, request
from tests.conformance.protocol import ONE

UNCOMPRESSED = alone(
    "uWSGI compresses nothing whose length is stated.", Wanted(200, "not compressed", absent=("Content-Encoding",))
)
STREAM = b"0" * 100 + b"1" * 100 + b"2" * 100

BEHAVIOURS = (
    Behaviour("204", (request("/without-body?status=204"),), (Wanted(204, "no body", body=b""),)),
    Behaviour(
        "304", (request("/without-body?status=304"),), (Wanted(304, "no body", headers=('ETag: "1"',), body=b""),)
    ),
    Behaviour(
        "204 and another request",
        (request("/without-body?status=204", keeps=True), 0.05, request("/")),
        (Wanted(204), Wanted(200)),
        alone(ONE, Wanted(204)),
    ),
    Behaviour(
        "A redirect",
        (request("/redirect"),),
        (Wanted(302, "as it was", headers=("Location: /elsewhere/?a=b%20c",)),),
    ),
    Behaviour(
        "A page that may be kept",
        (request("/cached"),),
        (Wanted(200, "as it was", headers=("Cache-Control: max-age=60", 'ETag: "1"', "Vary: Cookie")),),
    ),
    Behaviour(
        "Another page",
        (request("/"),),
        (Wanted(200, "nothing added", absent=("Cache-Control", "Expires", "ETag", "Last-Modified")),),
    ),
    Behaviour(
        "A download",
        (request("/download"),),
        (
            Wanted(
                200,
                "as it was",
                headers=("Content-Disposition: attachment; filename*=UTF-8''%C3%A9.txt",),
                body=b"d" * LENGTH,
            ),
        ),
    ),
    Behaviour("A file of the application", (request("/file"),), (Wanted(200, body=b"f" * LENGTH),)),
    Behaviour(
        "A range of a file of the application",
        (request("/file", "Range: bytes=0-1"),),
        (Wanted(200, "all of it", body=b"f" * LENGTH),),
    ),
    Behaviour(
        "An answer without a length",
        (request("/stream"),),
        (Wanted(200, body=STREAM),),
    ),
    Behaviour(
        "An answer without a length, and another request",
        (request("/stream", keeps=True), 0.05, request("/")),
        (Wanted(200, body=STREAM), Wanted(200)),
        alone(ONE, Wanted(200, body=STREAM)),
    ),
    Behaviour("HEAD of an answer without a length", (request("/stream", method="HEAD"),), (Wanted(200, body=b""),)),
    Behaviour(
        "A page that can be compressed",
        (request("/words", "Accept-Encoding: gzip"),),
        (Wanted(200, "compressed", headers=("Content-Encoding: gzip", "Vary: Accept-Encoding")),),
        UNCOMPRESSED,
    ),
    Behaviour(
        "The same without `Accept-Encoding`",
        (request("/words"),),
        (Wanted(200, absent=("Content-Encoding",), body=b"words " * LENGTH),),
    ),
    Behaviour(
        "A style sheet that can be compressed",
        (request("/static/site.css", "Accept-Encoding: gzip"),),
        (Wanted(200, "compressed", headers=("Content-Encoding: gzip",)),),
        UNCOMPRESSED,
    ),
    Behaviour(
        "The application's own 403", (request("/refused"),), (Wanted(403, "its page", body=b"the site's own page"),)
    ),
    Behaviour("An application that fails", (request("/fail"),), (Wanted(500),)),
    Behaviour(
        "`X-Accel-Redirect` of the application",
        (request("/accel"),),
        (Wanted(200, "nginx's file", absent=("X-Accel-Redirect",), body=b"private"),),
        alone(
            "It is a command to nginx. `SENDFILE_BACKEND` must name another module here.",
            Wanted(200, "no body", body=b""),
        ),
    ),
)
