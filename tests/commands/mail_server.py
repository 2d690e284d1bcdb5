"""A mail server on a loopback port that takes every message, and keeps it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

HOST = "127.0.0.1"


@dataclass
class MailServer:
    """Its ``port``, and who was sent what; it refuses a recipient with ``refused`` in its address."""

    port: int = 0
    refused: str = "nobody-has-this"
    messages: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    def to(self, address: str) -> list[EmailMessage]:
        return [message for recipients, message in self.messages if address in recipients]


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Speak as much of SMTP (RFC 5321) as a client needs that sends."""
    known = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            recipients: list[str] = []
            while line := self.rfile.readline().decode():
                word = line[:4].upper()
                if word == "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    if known.refused in address:
                        self.say("550 no such mailbox")
                        continue
                    recipients.append(address)
                if word == "DATA":
                    self.say("354 go on")
                    text = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        text += part
                    message = message_from_bytes(text, policy=policy.default)
                    assert isinstance(message, EmailMessage)
                    known.messages.append((recipients, message))
                    recipients = []
                self.say("221 bye" if word == "QUIT" else "250 fine")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer((HOST, 0), Session) as server:
        server.daemon_threads = True
        known.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield known
        finally:
            server.shutdown()
