"""Asking DNS, bounded in time and size, with a sentence for each way in which it has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import dns.exception
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.resolver

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.http_client.addresses import Address

#: What passes most paths in one packet (https://www.dnsflagday.net/2020/); longer answers come by TCP.
PACKET_BYTES = 1232


class NoRecordError(MultihostError):
    """DNS has no answer that can be used."""


class NameServers:
    """
    The name servers that are asked: those stated, as pairs of an address and a port, or else the system's. They must
    resolve names for others, as every provider's do. An answer takes at most ``seconds``.
    """

    def __init__(self, stated: Sequence[tuple[str, int]] = (), seconds: float = 5) -> None:
        try:
            self.resolver = dns.resolver.Resolver(configure=not stated)
        except dns.resolver.NoResolverConfiguration:
            raise ConfigurationError.because(
                "/etc/resolv.conf names no name server. State one by --resolver."
            ) from None
        if stated:
            self.resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in stated]
        self.resolver.use_edns(0, 0, PACKET_BYTES)
        self.seconds = seconds

    def find_texts(self, name: str) -> list[bytes]:
        """Return the TXT records of ``name``, each as one text; raises NoRecordError."""
        return [b"".join(record.strings) for record in self.find(name, dns.rdatatype.TXT)]

    def find_addresses(self, name: str) -> list[Address]:
        """Return all addresses of ``name``, those of IPv4 first; raises NoRecordError when there is none."""
        found: list[Address] = []
        problems = []
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                found += [ip_address(record.address) for record in self.find(name, kind)]
            except NoRecordError as error:
                problems.append(error)
        if not found:
            raise problems[0]
        return found

    def find(self, name: str, kind: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset:
        try:
            question = dns.name.from_text(name)  # absolute, so that no search domain is put behind it
            answer = self.resolver.resolve(question, kind, search=False, lifetime=self.seconds)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise NoRecordError(reason_of(error, name, dns.rdatatype.to_text(kind), self.seconds)) from None
        return answer.rrset or dns.rdataset.Rdataset(answer.rdclass, kind)


def reason_of(error: Exception, name: str, kind: str, seconds: float) -> str:
    """Return a sentence that says why DNS has no record; nothing of what it answered is in it."""
    match error:
        case dns.resolver.NXDOMAIN() if error.canonical_name != dns.name.from_text(name):
            return f"{name} is an alias (CNAME) of a name that DNS does not have."
        case dns.resolver.NXDOMAIN():
            return f"DNS has no name {name}."
        case dns.resolver.NoAnswer():
            return f"DNS has no {kind} record with the name {name}."
        case dns.exception.Timeout():
            return f"No name server answered about {name} within {seconds:g} seconds."
        case dns.resolver.NoNameservers():
            return f"The name servers cannot answer about {name} ({failure_of(error)})."
        case dns.name.NameTooLong() | dns.name.LabelTooLong():
            return f"{name} is longer than a name in DNS can be."
    return f"DNS gave no answer about {name} that can be used ({type(error).__name__})."


def failure_of(error: dns.resolver.NoNameservers) -> str:
    """Return in a word what the last name server answered: SERVFAIL, REFUSED, or that it was nothing of DNS."""
    *_, (_, _, _, what, response) = error.kwargs["errors"]
    if response is not None and response.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(response.rcode())
    return "no connection" if isinstance(what, OSError) else "a broken answer"
