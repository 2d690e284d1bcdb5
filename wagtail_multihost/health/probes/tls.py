"""Whether clients get valid certificates for the site's hostnames, and for how long."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from wagtail_multihost.health.hostnames import check_hostnames, own_hostnames
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed, passed, warned
from wagtail_multihost.health.status import Criticality

PORT = 443
ADDRESS_FORM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
DAY = 86_400
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ and openssl/x509_vfy.h
REASONS = {9: "not_yet_valid", 10: "expired", 62: "name_mismatch", 64: "name_mismatch"}


@dataclass(frozen=True, kw_only=True)
class TlsProbe(Probe):
    """
    Connects to each hostname as a browser does, and checks its certificate and the days until it expires.

    With ``address`` it connects there instead, for instance to the front server on the same machine, and asks for the
    certificate of each hostname.
    """

    codes: ClassVar[Mapping[str, str]] = {
        "expires_soon": "The certificate expires soon.",
        "expired": "The certificate has expired.",
        "not_yet_valid": "The certificate is not valid yet.",
        "name_mismatch": "The certificate is for other hostnames.",
        "untrusted": "The certificate is not from a trusted authority, or its chain is incomplete.",
        "unreachable": "The connection or the handshake fails.",
        "not_applicable": "There is no hostname.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=30, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=3600, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=300, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    hostnames: tuple[str, ...] = field(default=(), metadata={"meaning": "The hostnames; none: all of the site's."})
    address: str = field(
        default="", metadata={"meaning": "Where to connect, such as `127.0.0.1:443`; none: to each hostname."}
    )
    ca_file: str = field(
        default="", metadata={"meaning": "A file with the certificate authorities to trust; none: the system's."}
    )
    connect_timeout: float = field(default=5, metadata={"meaning": "How long, in seconds, each hostname may take."})
    warn_days: float = field(default=21, metadata={"meaning": "The days left below which it warns."})
    fail_days: float = field(default=7, metadata={"meaning": "The days left below which it fails."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "hostnames", check_hostnames(self.hostnames))
        if not 0 <= self.fail_days <= self.warn_days:
            raise ValueError("The limits are not accepted: 0 <= fail_days <= warn_days.")
        if not 0 < self.connect_timeout <= self.timeout:
            raise ValueError("The connect_timeout is not accepted: it must be above 0, at most the timeout.")
        if self.address:
            parse_host_and_port(self.address)

    def measure(self) -> Iterator[Outcome]:
        hostnames = self.hostnames or own_hostnames()
        if not hostnames:
            yield passed(code="not_applicable")
        context = ssl.create_default_context(cafile=self.ca_file or None)
        for hostname in hostnames:
            yield self.outcome(hostname, context)

    def outcome(self, hostname: str, context: ssl.SSLContext) -> Outcome:
        place = parse_host_and_port(self.address) if self.address else (hostname, PORT)
        try:
            days = fetch_days_left(hostname, place, context, self.connect_timeout)
        except ssl.SSLCertVerificationError as error:
            log_failure("The certificate of %s is not accepted: %s", hostname, error, subject=hostname)
            return failed(REASONS.get(error.verify_code, "untrusted"), subject=hostname)
        except OSError as error:
            log_failure("No TLS connection to %s: %s", hostname, error, subject=hostname)
            return failed("unreachable", subject=hostname)
        return judge_days_left(days, hostname, self.warn_days, self.fail_days)


def judge_days_left(days: float, subject: str, warn_days: float, fail_days: float) -> Outcome:
    """Return the outcome for a certificate that is valid for another ``days`` days."""
    if days <= 0:
        return failed("expired", days, "days", subject=subject)
    if days < fail_days:
        return failed("expires_soon", days, "days", subject=subject)
    if days < warn_days:
        return warned("expires_soon", days, "days", subject=subject)
    return passed(days, "days", subject=subject)


def fetch_days_left(hostname: str, place: tuple[str, int], context: ssl.SSLContext, timeout: float) -> float:
    """Fetch the certificate of ``hostname`` at ``place`` and return the days until it expires; raises OSError."""
    with (
        socket.create_connection(place, timeout) as connection,
        context.wrap_socket(connection, server_hostname=hostname) as channel,
    ):
        certificate = channel.getpeercert() or {}
    return round((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY, 1)


def parse_host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of ``address``; raises ValueError."""
    found = ADDRESS_FORM.fullmatch(address)
    port = int(found["port"] or PORT) if found else 0
    if not found or not 0 < port < 65_536:
        raise ValueError("The address is not accepted: it must be a host and a port, such as 127.0.0.1:443.")
    return found["v6"] or found["host"], port
