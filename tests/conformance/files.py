"""Static files and uploads: their types, what may be kept, and parts of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path

from tests.conformance.behaviours import Behaviour, Difference, Wanted, alone, request

#: When every file was written.
MODIFIED = 1_700_000_000
LAST_MODIFIED = formatdate(MODIFIED, usegmt=True)
EARLIER, LATER = formatdate(MODIFIED - 3600, usegmt=True), formatdate(MODIFIED + 3600, usegmt=True)
VIDEO = bytes(range(250)) * 20
SIZE = len(VIDEO)
ETAG = f'"{MODIFIED:x}-{SIZE:x}"'
STYLE = b"p { color: red }\n" * 100
UPLOADS = {
    "v.mp4": VIDEO,
    "é ü.txt": b"upload",
    "a.svg": b"<svg/>",
    "page.html": b"<p>",
    "page.unknown": b"<p>",
    "documents/private.txt": b"private",
    ".hidden": b"hidden",
}
STATIC = {
    "site.css": STYLE,
    "v.mp4": VIDEO,
    "app.0123456789ab.js": b"let a;",
    "icon.svg": b"<svg/>",
    "f.woff2": b"font",
    "d.json": b"{}",
    "m.mjs": b"m",
    "p.webp": b"w",
    "x.unknown": b"x",
}
TYPES = {
    "site.css": "text/css",
    "icon.svg": "image/svg+xml",
    "f.woff2": "font/woff2",
    "d.json": "application/json",
    "m.mjs": "text/javascript",
    "p.webp": "image/webp",
    "x.unknown": "application/octet-stream",
}
POLICY = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox"
NOSNIFF = "X-Content-Type-Options: nosniff"


WHOLE = Wanted(200, "all of it", body=VIDEO)
ALL_BYTES = alone(
    "uWSGI closes the connection for more last bytes than a file has (core/static.c). Uploads are sent by its "
    "application then; of static files it sends everything, as a server may (RFC 9110, section 14.2).",
    WHOLE,
)
ASKED = alone("There is no such file that is sent so: the application is asked, which has no such page.", Wanted(404))
UNMARKED = "uWSGI states no marks (`ETag`), and knows none."


def write_files(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (MODIFIED, MODIFIED))


def part(asked: str, first: int, last: int, differs: Mapping[str, Difference] | None = None) -> Iterator[Behaviour]:
    """Yield what a range is answered with, of an upload and of a static file; ``differs`` is of the second."""
    headers = (f"Content-Range: bytes {first}-{last}/{SIZE}",)
    wanted = Wanted(206, f"{first}-{last}", headers=headers, body=VIDEO[first : last + 1])
    for what, path, others in (("an upload", "/media/v.mp4", {}), ("a static file", "/static/v.mp4", differs or {})):
        name = f"`Range: bytes={asked}` of {what} of {SIZE} bytes"
        yield Behaviour(name, (request(path, f"Range: bytes={asked}"),), (wanted,), others)


def whole(name: str, *headers: str, differs: Mapping[str, Difference] | None = None) -> Behaviour:
    """Return a request that gets all of an upload."""
    return Behaviour(name, (request("/media/v.mp4", *headers),), (WHOLE,), differs or {})


KEPT = Wanted(304, "no body", body=b"")


def kept(name: str, *headers: str, differs: Mapping[str, Difference] | None = None) -> Behaviour:
    return Behaviour(name, (request("/media/v.mp4", *headers),), (KEPT,), differs or {})


BEHAVIOURS = (
    *(
        Behaviour(
            f"The type of `{name}`",
            (request(f"/static/{name}"),),
            (Wanted(200, kind, headers=(f"Content-Type: {kind}", NOSNIFF), body=STATIC[name]),),
            alone(
                "uWSGI states no type where it knows none.",
                Wanted(200, "no type", headers=(NOSNIFF,), absent=("Content-Type",), body=STATIC[name]),
            )
            if kind.endswith("octet-stream")
            else {},
        )
        for name, kind in TYPES.items()
    ),
    Behaviour(
        "A static file with a hash in its name",
        (request("/static/app.0123456789ab.js"),),
        (Wanted(200, "kept for good", headers=("Cache-Control: public, max-age=31536000, immutable",)),),
    ),
    Behaviour(
        "Another static file",
        (request("/static/site.css"),),
        (Wanted(200, "asked for again", headers=(f"Last-Modified: {LAST_MODIFIED}",), absent=("Cache-Control",)),),
    ),
    Behaviour("A static file that is missing", (request("/static/none.css"),), (Wanted(404),)),
    Behaviour("A folder of static files", (request("/static/"),), (Wanted(403),), ASKED),
    Behaviour("Out of the folder of static files", (request("/static/..%2f..%2fetc/passwd"),), (Wanted(400),)),
    Behaviour("POST to a static file", (request("/static/site.css", method="POST", body=b"1"),), (Wanted(405),), ASKED),
    Behaviour(
        "An upload",
        (request("/media/v.mp4"),),
        (
            Wanted(
                200,
                "never run",
                headers=(POLICY, NOSNIFF, "Accept-Ranges: bytes", "Content-Type: video/mp4"),
                body=VIDEO,
            ),
        ),
    ),
    Behaviour(
        "The last bytes of an upload of an unknown type",
        (request("/media/page.unknown", "Range: bytes=-3"),),
        (
            Wanted(
                206, "never a page", headers=("Content-Type: application/octet-stream", NOSNIFF, POLICY), body=b"<p>"
            ),
        ),
    ),
    Behaviour("An upload of HTML", (request("/media/page.html"),), (Wanted(200, "never run", headers=(POLICY,)),)),
    Behaviour(
        "An upload with UTF-8 in its name", (request("/media/%C3%A9%20%C3%BC.txt"),), (Wanted(200, body=b"upload"),)
    ),
    Behaviour("An upload, its slashes twice", (request("//media//v.mp4"),), (Wanted(200, body=VIDEO),)),
    Behaviour("An upload that is missing", (request("/media/none.txt"),), (Wanted(404),)),
    Behaviour("A document", (request("/media/documents/private.txt"),), (Wanted(404),)),
    Behaviour("A document, its slashes twice", (request("/media//documents/private.txt"),), (Wanted(404),)),
    Behaviour("A document, by dot segments", (request("/media/x/../documents/private.txt"),), (Wanted(404),)),
    Behaviour(
        "HEAD of an upload",
        (request("/media/v.mp4", method="HEAD"),),
        (Wanted(200, "no body", headers=(f"Content-Length: {SIZE}",), body=b""),),
    ),
    *part("0-1", 0, 1),
    *part("7-7", 7, 7),
    *part("4990-", 4990, 4999),
    *part("4990-9000", 4990, 4999),
    *part("-5", 4995, 4999, ALL_BYTES),
    *part("-9000", 0, 4999, ALL_BYTES),
    Behaviour(
        "HEAD with a range of more last bytes than the file has",
        (request("/media/v.mp4", "Range: bytes=-9000", method="HEAD"),),
        (Wanted(206, "no body", body=b""),),
    ),
    Behaviour(
        "A range of all bytes",
        (request("/media/v.mp4", "Range: bytes=0-"),),
        (Wanted(206, "all of it", body=VIDEO),),
        alone("uWSGI takes all bytes for no part.", WHOLE),
    ),
    Behaviour(
        "Several ranges",
        (request("/media/v.mp4", "Range: bytes=0-1, 5-6"),),
        (Wanted(206, "in several parts", absent=("Content-Range",)),),
        alone(
            "uWSGI sends the first of several.",
            Wanted(206, "the first", headers=(f"Content-Range: bytes 0-1/{SIZE}",), body=VIDEO[:2]),
        ),
    ),
    Behaviour(
        "A range behind the end",
        (request("/media/v.mp4", "Range: bytes=6000-"),),
        (Wanted(416, headers=(f"Content-Range: bytes */{SIZE}",)),),
    ),
    Behaviour("A range whose end is before its start", (request("/media/v.mp4", "Range: bytes=5-2"),), (Wanted(416),)),
    Behaviour("A range of no bytes", (request("/media/v.mp4", "Range: bytes=-0"),), (Wanted(416),)),
    whole("A range in other units", "Range: pages=0-1"),
    kept("`If-Modified-Since`, the same moment", f"If-Modified-Since: {LAST_MODIFIED}"),
    whole("`If-Modified-Since`, earlier", f"If-Modified-Since: {EARLIER}"),
    whole(
        "`If-Modified-Since`, later",
        f"If-Modified-Since: {LATER}",
        differs=alone("uWSGI asks which moment is later, nginx for the very same. Both are right.", KEPT),
    ),
    whole("`If-Modified-Since` that is no date", "If-Modified-Since: yesterday"),
    kept("`If-None-Match`, the same mark", f"If-None-Match: {ETAG}", differs=alone(UNMARKED, WHOLE)),
    whole("`If-None-Match`, another mark", 'If-None-Match: "other"'),
    whole(
        "`If-None-Match`, another mark, and the same moment",
        'If-None-Match: "other"',
        f"If-Modified-Since: {LAST_MODIFIED}",
        differs=alone(UNMARKED, KEPT),
    ),
    Behaviour(
        "`If-Range`, the same moment",
        (request("/media/v.mp4", "Range: bytes=0-1", f"If-Range: {LAST_MODIFIED}"),),
        (Wanted(206, "0-1", body=VIDEO[:2]),),
    ),
    whole("`If-Range`, an earlier moment", "Range: bytes=0-1", f"If-Range: {EARLIER}"),
    Behaviour(
        "`If-Range`, the same mark",
        (request("/media/v.mp4", "Range: bytes=0-1", f"If-Range: {ETAG}"),),
        (Wanted(206, "0-1", body=VIDEO[:2]),),
        alone(UNMARKED, WHOLE),
    ),
    whole("`If-Range`, another mark", "Range: bytes=0-1", 'If-Range: "other"'),
)
