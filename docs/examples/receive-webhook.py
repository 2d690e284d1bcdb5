"""
Receive the events of a fleet, and refuse what its courier has not signed.

    python receive-webhook.py --key whpk_… --port 8080

The key is what `multihost-courier key` prints. Put a server that speaks https in front. Needs the package cryptography.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

#: Seconds that a message may be old: who records one cannot send it again later.
LONGEST = 300
MOST_BYTES = 64 * 1024


def is_signed(key: Ed25519PublicKey, headers, body: bytes) -> bool:
    """Return whether a message is the courier's, by https://www.standardwebhooks.com."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > LONGEST:
        return False
    signed = f"{identifier}.{timestamp}.".encode() + body
    for signature in headers.get("webhook-signature", "").split(" "):
        version, _, text = signature.partition(",")
        try:
            if version == "v1a":
                key.verify(base64.b64decode(text), signed)
                return True
        except (InvalidSignature, ValueError):
            continue
    return False


class Receiver(BaseHTTPRequestHandler):
    """Prints each event once."""

    key: Ed25519PublicKey
    seen: set[str] = set()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, MOST_BYTES))
        if length > MOST_BYTES or not is_signed(self.key, self.headers, body):
            self.send_error(401)
            return
        # A message whose answer was lost comes again, with the same id.
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            event = json.loads(body)
            print(event["revision"], event["type"], event.get("site") or "-", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keep the output for the events."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    Receiver.key = Ed25519PublicKey.from_public_bytes(base64.b64decode(options.key.removeprefix("whpk_")))
    ThreadingHTTPServer(("127.0.0.1", options.port), Receiver).serve_forever()


if __name__ == "__main__":
    main()
