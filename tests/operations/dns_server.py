"""A name server on a loopback port that answers over UDP and TCP whatever a test wants, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.servers.processes import free_port

HOST = "127.0.0.1"
#: What a packet of UDP may hold here, as most servers and the courier have it.
PACKET_BYTES = 1232
#: An answer as a list of words (``A 127.0.0.1``), a code (``SERVFAIL``), bytes as they are, or nothing at all.
Answer = list[str] | str | bytes | None


@dataclass
class Zone:
    """The answers by name; a name that is not there does not exist. A function is called for each question."""

    answers: dict[str, Answer | Callable[[str], Answer]] = field(default_factory=dict)
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def server(self) -> tuple[str, int]:
        return HOST, self.port

    def reply(self, packet: bytes, *, is_tcp: bool) -> bytes | None:
        question = dns.message.from_wire(packet)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked.append((kind, name))
        found = self.answers.get(name, "NXDOMAIN")
        answer = found(kind) if callable(found) else found
        if answer is None or isinstance(answer, bytes):
            return None if answer is None else packet[:2] + answer
        reply = dns.message.make_response(question, recursion_available=True)
        if isinstance(answer, str):
            reply.set_rcode(dns.rcode.from_text(answer))
            return reply.to_wire()
        self.fill(reply, question.question[0].name, kind, answer)
        wire = reply.to_wire(max_size=65535)
        if len(wire) > PACKET_BYTES and not is_tcp:
            short = dns.message.make_response(question, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()
        return wire

    def fill(self, reply: dns.message.Message, owner: dns.name.Name, kind: str, answer: list[str]) -> None:
        """Put the records of the asked kind into the reply, and those of the names that aliases lead to."""
        for line in answer:
            found, _, data = line.partition(" ")
            if found == "CNAME":
                reply.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", f"{data}."))
                target = self.answers.get(data, "NXDOMAIN")
                if isinstance(target, str):
                    reply.set_rcode(dns.rcode.from_text(target))
                elif isinstance(target, list) and len(reply.answer) < 40:
                    self.fill(reply, dns.name.from_text(data), kind, target)
            elif found == kind:
                rrset = reply.find_rrset(
                    reply.answer, owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind), create=True
                )
                rrset.update(dns.rrset.from_text(owner, 60, "IN", kind, data))


@contextlib.contextmanager
def running_name_server(zone: Zone) -> Iterator[Zone]:
    """Serve the zone at a free loopback port."""
    zone.port = free_port()

    class Packets(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            packet, sender = self.request
            reply = zone.reply(packet, is_tcp=False)
            if reply is not None:
                sender.sendto(reply, self.client_address)

    class Streams(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            size = int.from_bytes(connection.recv(2), "big")
            reply = zone.reply(connection.recv(size), is_tcp=True)
            if reply is not None:
                connection.sendall(len(reply).to_bytes(2, "big") + reply)

    class Datagrams(socketserver.ThreadingUDPServer):
        allow_reuse_address = True

    class Connections(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    servers: list[Any] = [Datagrams((HOST, zone.port), Packets), Connections((HOST, zone.port), Streams)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield zone
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
