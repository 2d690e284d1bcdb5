"""
An S3 server like many that are not Amazon's: it refuses checksums of the newer kind with 400, and signatures that are
for another host, or have expired, with 403. It keeps objects in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
#: What Ceph, GCS, B2 and OBS of before 2025 refuse (https://github.com/boto/boto3/issues/4392).
REFUSED = ("x-amz-checksum-", "x-amz-sdk-checksum-algorithm", "x-amz-trailer")


@dataclass
class StrictS3:
    """The server: its ports, what it has, and the headers of all requests."""

    secret_key: str
    ports: list[int] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """A request to the server: objects by path, and a bucket that is there once it has one."""

    protocol_version = "HTTP/1.1"

    @property
    def strict(self) -> StrictS3:
        return self.server.strict  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        if self.is_refused(b""):
            return
        path = urlsplit(self.path).path
        found = self.strict.objects.get(path)
        if found is None:
            self.answer(404, error("NoSuchKey"))
        else:
            self.answer(200, found)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_refused(body):
            self.strict.objects[urlsplit(self.path).path] = body
            self.answer(200, b"")

    def do_DELETE(self) -> None:
        if not self.is_refused(b""):
            self.strict.objects.pop(urlsplit(self.path).path, None)
            self.answer(204, b"")

    def is_refused(self, body: bytes) -> bool:
        names = {name.lower(): value for name, value in self.headers.items()}
        self.strict.seen.append((self.command, self.path, names))
        query = {name.lower() for name, _ in parse_qsl(urlsplit(self.path).query)}
        wrong = sorted(name for name in {*names, *query} if name.startswith(REFUSED))
        if wrong or "aws-chunked" in names.get("content-encoding", ""):
            self.answer(400, error("InvalidArgument", f"Unsupported header {wrong}"))
            return True
        if not is_signed(self.command, self.path, names, body, self.strict.secret_key):
            self.answer(403, error("SignatureDoesNotMatch"))
            return True
        return False

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", formatdate(0, usegmt=True))
        self.send_header("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        # A client that does not trust the certificate ends the handshake.
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass


def error(code: str, message: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def is_signed(method: str, path: str, headers: dict[str, str], body: bytes, secret_key: str) -> bool:
    """
    Return whether a request is signed, in its query or a header, for this host and moment, as version 4 says
    (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
    """
    parts = urlsplit(path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "X-Amz-Signature" in query:
        signature, names = query.pop("X-Amz-Signature"), query["X-Amz-SignedHeaders"]
        scope, moment, payload = query["X-Amz-Credential"], query["X-Amz-Date"], "UNSIGNED-PAYLOAD"
        signed_at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if datetime.now(UTC) > signed_at + timedelta(seconds=int(query["X-Amz-Expires"])):
            return False
    else:
        algorithm, _, rest = headers.get("authorization", "").partition(" ")
        if algorithm != ALGORITHM:
            return False
        fields = dict(one.strip().split("=", 1) for one in rest.split(","))
        signature, names, scope = fields["Signature"], fields["SignedHeaders"], fields["Credential"]
        moment, payload = headers["x-amz-date"], headers["x-amz-content-sha256"]
        if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return False
    canonical = "\n".join(
        [
            method,
            parts.path,
            "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query)),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names.split(";")),
            "",
            names,
            payload,
        ]
    )
    _, *steps = scope.split("/")
    signed = "\n".join([ALGORITHM, moment, "/".join(steps), hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for step in [*steps, signed]:
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(key.hex(), signature)


@contextlib.contextmanager
def running_strict_s3(secret_key: str, ports: int = 1, certificate: Path | None = None) -> Iterator[StrictS3]:
    """
    Run the server on so many free ports, which have the same objects; with TLS where it has a ``certificate``, beside
    which its key is.
    """
    strict = StrictS3(secret_key)
    with contextlib.ExitStack() as stack:
        for _ in range(ports):
            server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.strict = strict
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            strict.ports.append(server.server_port)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield strict
