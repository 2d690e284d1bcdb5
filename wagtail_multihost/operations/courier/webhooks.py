"""
Telling integrators of events: a signed POST to the address of a webhook, at least once each.

Operators state the addresses, in a database whose web process may be taken over one day. So only public addresses are
asked, unless the courier's own options allow a network; nothing is followed; and nothing that a receiver answers is
repeated but its status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from wagtail_multihost.http_client.addresses import Address, Network, is_public
from wagtail_multihost.http_client.client import NoAnswerError, Target, ask_server
from wagtail_multihost.nodeapi import webhooks_v1
from wagtail_multihost.operations.courier.name_servers import NameServers, NoRecordError
from wagtail_multihost.operations.courier.proofs import MOST_ADDRESSES, pinned
from wagtail_multihost.operations.courier.signing import public_text, sign
from wagtail_multihost.operations.courier.work_list import WorkList
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

logger = logging.getLogger(__name__)

SECONDS = 15.0
SUCCESS = range(200, 300)
REDIRECTS = range(300, 400)
FAILED = "The courier could not send it. Its log says why."


class Delivery(NamedTuple):
    """A message to send to a ``webhook``: the ``lease`` is the right to report."""

    id: UUID
    lease: UUID
    url: str
    revision: int
    body: str
    webhook: UUID

    @property
    def receiver(self) -> str:
        """Which webhook it is for, and its host alone: whoever knows the rest of an address may write there."""
        try:
            host = urlsplit(self.url).hostname
        except ValueError:
            host = None
        return f"the webhook {self.webhook} ({one_line(host or 'no host')})"


@dataclass(frozen=True)
class Receivers:
    """
    Which servers may be told: public ones that are in none of the networks that are ``refused``, over https, with a
    certificate that counts; and those of the networks that are ``allowed``, over http too.
    """

    name_servers: NameServers
    refused: tuple[Network, ...] = ()
    allowed: tuple[Network, ...] = ()
    ca_file: str | None = None
    seconds: float = SECONDS

    def is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self.allowed if network.version == address.version)


class NotToldError(Exception):
    """The message did not arrive, and why."""


def send(delivery: Delivery, key: Ed25519PrivateKey, receivers: Receivers) -> None:
    """Send a message; raises NotToldError."""
    target = parse_target(delivery.url)
    addresses = find_addresses(target, receivers)
    body, now = delivery.body.encode(), int(time.time())
    identifier = str(delivery.id)
    try:
        reply = ask_server(
            target,
            target.path or "/",
            method="POST",
            seconds=receivers.seconds,
            addresses=[pinned(address, target.port) for address in addresses[:MOST_ADDRESSES]],
            agent="multihost-courier",
            enough=1,
            ca_file=receivers.ca_file,
            body=body,
            more={
                "Content-Type": "application/json",
                "webhook-id": identifier,
                "webhook-timestamp": str(now),
                "webhook-signature": sign(key, identifier, now, body),
            },
        )
    except (NoAnswerError, TimeoutError) as error:
        raise NotToldError(str(error) or "There was no answer in time.") from None
    if reply.status in REDIRECTS:
        raise NotToldError(f"The server answered with a redirect ({reply.status}), which is not followed.")
    if reply.status not in SUCCESS:
        raise NotToldError(f"The server answered with the status {reply.status}.")


def parse_target(url: str) -> Target:
    """Return where to send; a socket of this machine, or another protocol, is no address of a webhook."""
    try:
        target = Target(url, takes_query=True)
    except NoAnswerError:
        target = None
    if target is None or target.socket or target.scheme not in ("http", "https"):
        raise NotToldError("It is no address of a web server.")
    return target


def find_addresses(target: Target, receivers: Receivers) -> list[Address]:
    """Return the addresses of the server, all of which may be told; raises NotToldError."""
    try:
        found: list[Address] = [ip_address(target.host)]
    except ValueError:
        try:
            found = receivers.name_servers.find_addresses(target.host)
        except NoRecordError as error:
            raise NotToldError(str(error)) from None
    own = [receivers.is_allowed(address) for address in found]
    if not all(is_own or is_public(address, receivers.refused) for address, is_own in zip(found, own, strict=True)):
        raise NotToldError(f"{target.host} has an address that is not public, so its server was not asked.")
    if target.scheme != "https" and not all(own):
        raise NotToldError("It must begin with https:// unless the courier is started with --allow for its network.")
    return found


class Deliveries:
    """Messages to webhooks as work of the courier."""

    def __init__(self, work_list: WorkList, key: Ed25519PrivateKey, receivers: Receivers, most: int) -> None:
        self.work_list, self.key, self.receivers, self.most = work_list, key, receivers, most
        self.public_key = public_text(key)

    def take(self, room: int) -> Iterable[Delivery]:
        self.work_list.ask_newer(webhooks_v1.SHOW_KEY, (self.public_key,))
        self.work_list.ask_newer(webhooks_v1.QUEUE)
        return [Delivery(*row) for row in self.work_list.ask_newer(webhooks_v1.TAKE, (room,))]

    def carry_out(self, delivery: Delivery) -> str:
        """Return why a message did not arrive, blank if it did."""
        try:
            send(delivery, self.key, self.receivers)
        except NotToldError as error:
            return str(error)
        except Exception:
            logger.exception("The message %s could not be sent to %s.", delivery.id, delivery.receiver)
            return FAILED
        return ""

    def report(self, delivery: Delivery, problem: str) -> None:
        values = (delivery.id, delivery.lease, not problem, problem[: webhooks_v1.PROBLEM_LENGTH])
        rows = self.work_list.ask_newer(webhooks_v1.REPORT, values)
        if problem:
            what = delivery.id, delivery.revision, delivery.receiver
            logger.warning("The message %s of revision %s to %s: %s", *what, problem)
        if not (rows and rows[0][0]):
            logger.warning("The message %s took longer than its lease: it is sent again.", delivery.id)
