"""
The application that every carrier runs: it says what it was asked, and answers as the path tells it. Nothing but the
standard library is imported, because it is copied into the code of a site.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import parse_qsl

Environ = dict[str, Any]
#: A status, headers and a body.
Given = tuple[str, list[tuple[str, str]], Iterable[bytes]]

#: What a carrier leaves to the application where there is no such file.
FILES = ("/static/", "/media/")
LENGTH = 3000


def application(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    path, query = environ["PATH_INFO"], dict(parse_qsl(environ["QUERY_STRING"]))
    answer = ANSWERS.get(path, not_found if path.startswith(FILES) else seen)
    status, headers, body = answer(environ, query)
    if isinstance(body, list):
        headers.append(("Content-Length", str(sum(map(len, body)))))
    start_response(status, headers)
    return body


def plain(body: bytes, *headers: tuple[str, str], status: str = "200 OK") -> Given:
    return status, [("Content-Type", "text/plain"), *headers], [body]


def seen(environ: Environ, query: dict[str, str]) -> Given:
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return plain(json.dumps({**told, "scheme": environ["wsgi.url_scheme"], "body": len(body)}).encode())


def not_found(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"no such page", status="404 Not Found")


def counted(environ: Environ, query: dict[str, str]) -> Given:
    return plain(str(sum(key.startswith("HTTP_X_FIELD_") for key in environ)).encode())


def with_headers(environ: Environ, query: dict[str, str]) -> Given:
    size, each = int(query["bytes"]), int(query.get("each", 1000))
    values = ["a" * each] * (size // each) + ["b" * (size % each)]
    return plain(b"ok", *(("Set-Cookie", f"n{number}={value}") for number, value in enumerate(values)))


def slow(environ: Environ, query: dict[str, str]) -> Given:
    time.sleep(float(query["seconds"]))
    return plain(b"slept")


def without_body(environ: Environ, query: dict[str, str]) -> Given:
    return {"204": "204 No Content", "304": "304 Not Modified"}[query["status"]], [("ETag", '"1"')], iter(())


def refused(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"the site's own page", status="403 Forbidden")


def failed(environ: Environ, query: dict[str, str]) -> Given:
    raise RuntimeError("As the test wants it.")


def cached(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"page", ("Cache-Control", "max-age=60"), ("ETag", '"1"'), ("Vary", "Cookie"))


def downloaded(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"d" * LENGTH, ("Content-Disposition", "attachment; filename*=UTF-8''%C3%A9.txt"))


def filed(environ: Environ, query: dict[str, str]) -> Given:
    file = TemporaryFile()  # noqa: SIM115  the server closes it
    file.write(b"f" * LENGTH)
    file.seek(0)
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(LENGTH))]
    return "200 OK", headers, environ.get("wsgi.file_wrapper", lambda file, size: file)(file, 4096)


def streamed(environ: Environ, query: dict[str, str]) -> Given:
    def parts() -> Iterator[bytes]:
        for number in range(3):
            yield b"%d" % number * 100

    return "200 OK", [("Content-Type", "text/plain")], parts()


def accelerated(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"", ("X-Accel-Redirect", "/-/files/documents/private.txt"))


def redirected(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"", ("Location", "/elsewhere/?a=b%20c"), status="302 Found")


def compressible(environ: Environ, query: dict[str, str]) -> Given:
    return plain(b"words " * LENGTH)


ANSWERS: dict[str, Callable[[Environ, dict[str, str]], Given]] = {
    "/accel": accelerated,
    "/cached": cached,
    "/count": counted,
    "/download": downloaded,
    "/fail": failed,
    "/file": filed,
    "/headers": with_headers,
    "/redirect": redirected,
    "/refused": refused,
    "/sleep": slow,
    "/stream": streamed,
    "/words": compressible,
    "/without-body": without_body,
}
