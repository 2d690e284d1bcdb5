"""
Whether a challenge is published: as a TXT record of the hostname, or as a file on it.

Who asks for a check decides which servers are asked, and reads the answer. So only public addresses are asked, nothing
is followed, and no sentence repeats what a server has sent: it could be something of a network that the courier sees
and they do not.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.http_client import client
from wagtail_multihost.http_client.addresses import Address, Network, is_public
from wagtail_multihost.http_client.client import NoAnswerError, Reply, Target, ask_server
from wagtail_multihost.nodeapi.challenge import file_path, is_reserved, record_name
from wagtail_multihost.operations.courier.name_servers import NameServers, NoRecordError
from wagtail_multihost.spec.identifiers import parse_hostname

DNS, FILE = "dns", "file"
MOST_BYTES = 1024
LEAST_CHARACTERS = 20  # of a challenge: a blank one is in many a file
#: How many addresses of a hostname are tried.
MOST_ADDRESSES = 4
OK = 200
REDIRECTS = range(300, 400)


class Check(NamedTuple):
    """A check that somebody asked for: the ``secret`` is looked for, and the ``lease`` is the right to report."""

    id: UUID
    lease: UUID
    name: str
    secret: str


class Finding(NamedTuple):
    """What a check found: the ``method`` if the challenge is ``proven``, or else the ``problem`` in sentences."""

    proven: bool
    method: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Reach:
    """
    Which servers may be asked for a file: the ``ports`` of http and https, and the networks that are ``refused``
    besides those that are not public. Where ``is_development``, private addresses are asked too, for names that nobody
    can own. Both requests together take at most ``seconds``.
    """

    ports: tuple[int, int] = (80, 443)
    refused: tuple[Network, ...] = ()
    is_development: bool = False
    seconds: float = 10

    def accepts(self, address: Address, name: str) -> bool:
        return is_public(address, self.refused) or (self.is_development and is_reserved(name))


class NotProvenError(Exception):
    """The challenge was not found, and why."""


def check(wanted: Check, name_servers: NameServers, reach: Reach) -> Finding:
    """Return whether the challenge is published in one of the two ways."""
    if not is_hostname(wanted.name):
        return Finding(False, problem="The name is not a hostname.")
    if len(wanted.secret) < LEAST_CHARACTERS:
        return Finding(False, problem="The challenge has no value that could be published.")
    problems = []
    for method, look in ((DNS, check_record), (FILE, check_file)):
        try:
            look(wanted, name_servers, reach)
            return Finding(True, method)
        except (NotProvenError, NoRecordError) as error:
            problems.append(str(error))
    return Finding(False, problem=" ".join(problems))


def is_hostname(name: str) -> bool:
    """Return whether ``name`` is as the registry spells hostnames; an IP address is none."""
    try:
        return parse_hostname(name) == name
    except ValueError:
        return False


def check_record(wanted: Check, name_servers: NameServers, reach: Reach) -> None:
    name = record_name(wanted.name)
    texts = name_servers.find_texts(name)
    if not any(is_secret(text, wanted.secret) for text in texts):
        raise NotProvenError(f"The TXT record {name} has another value ({len(texts)} found).")


def is_secret(text: bytes, secret: str) -> bool:
    """Return whether ``text`` is the secret; some providers' forms keep the quotation marks that people paste."""
    return text.strip().strip(b'"') == secret.encode()


def check_file(wanted: Check, name_servers: NameServers, reach: Reach) -> None:
    addresses = name_servers.find_addresses(wanted.name)
    if not all(reach.accepts(address, wanted.name) for address in addresses):
        raise NotProvenError(f"{wanted.name} has an address that is not public, so its server was not asked.")
    deadline = time.monotonic() + reach.seconds
    problems = []
    for scheme, port, share in zip(("http", "https"), reach.ports, (2, 1), strict=True):
        try:
            # https is asked by its own URL, at the same addresses: a redirect could lead anywhere.
            reply = ask_server(
                Target(f"{scheme}://{wanted.name}:{port}"),
                file_path(wanted.id),
                seconds=client.seconds_left(deadline) / share,
                addresses=[pinned(address, port) for address in addresses[:MOST_ADDRESSES]],
                agent="multihost-courier",
                enough=MOST_BYTES + 1,
                trusts_any=True,  # as http does; what counts is who serves the name
            )
        except (NoAnswerError, TimeoutError) as error:
            problems.append(f"Over {scheme}: {str(error) or 'No time was left.'}")
            continue
        problem = problem_of(reply, wanted.secret)
        if not problem:
            return
        problems.append(f"Over {scheme}: {problem}")
        if reply.status not in REDIRECTS:
            break
    raise NotProvenError(" ".join([f"The file {file_path(wanted.id)} was not found on {wanted.name}.", *problems]))


def pinned(address: Address, port: int) -> client.Address:
    """Return what a socket connects to: this address, whatever the name resolves to by then."""
    if address.version == 4:
        return socket.AF_INET, (str(address), port)
    return socket.AF_INET6, (str(address), port, 0, 0)


def problem_of(reply: Reply, secret: str) -> str:
    """Return what is wrong with the answer, blank if it is the secret."""
    if reply.status in REDIRECTS:
        return f"The server answers with a redirect ({reply.status}), which is not followed."
    if reply.status != OK:
        return f"The server answers with the status {reply.status}."
    if len(reply.body) > MOST_BYTES:
        return f"The answer is longer than {MOST_BYTES} bytes."
    return "" if reply.body.strip() == secret.encode() else "The answer is another text."
