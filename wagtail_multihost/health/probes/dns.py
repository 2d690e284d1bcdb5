"""Whether the site's own hostnames resolve."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import ClassVar

from wagtail_multihost.health.hostnames import check_hostnames, check_texts, own_hostnames
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.status import Criticality


@dataclass(frozen=True, kw_only=True)
class DnsProbe(Probe):
    """Asks the system's resolver for each hostname, so the hosts file and cached answers count."""

    codes: ClassVar[Mapping[str, str]] = {
        "unresolved": "The hostname has no address.",
        "no_answer": "No name server answers.",
        "points_elsewhere": "An address is not among those in the option `addresses`.",
        "not_applicable": "There is no hostname.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=10, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=300, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=60, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    hostnames: tuple[str, ...] = field(default=(), metadata={"meaning": "The hostnames; none: all of the site's."})
    addresses: tuple[str, ...] = field(
        default=(), metadata={"meaning": "The addresses and networks that hostnames may resolve to; none: any."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "hostnames", check_hostnames(self.hostnames))
        object.__setattr__(self, "addresses", check_texts("addresses", self.addresses))
        for address in self.addresses:
            try:
                ip_network(address, strict=False)
            except ValueError as error:
                raise ValueError(f"The option addresses is not accepted: {error}.") from None

    def measure(self) -> Iterator[Outcome]:
        hostnames = self.hostnames or own_hostnames()
        if not hostnames:
            yield passed(code="not_applicable")
        for hostname in hostnames:
            yield self.outcome(hostname)

    def outcome(self, hostname: str) -> Outcome:
        try:
            found = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            log_failure("The hostname %s does not resolve: %s", hostname, error, subject=hostname)
            return failed("no_answer" if error.errno == socket.EAI_AGAIN else "unresolved", subject=hostname)
        addresses = {str(address[0]).partition("%")[0] for *_, address in found}
        if self.addresses and not all(map(self.is_accepted, addresses)):
            log_failure("The hostname %s resolves to %s.", hostname, ", ".join(sorted(addresses)), subject=hostname)
            return failed("points_elsewhere", subject=hostname)
        return passed(subject=hostname)

    def is_accepted(self, address: str) -> bool:
        return any(ip_address(address) in ip_network(network, strict=False) for network in self.addresses)
