"""Where a front server finds certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import parse_hostname
from wagtail_multihost.spec.validation import parse_path, parse_template, problem_of, refuse

CERTIFICATE_FIELDS = frozenset({"hostname", "site"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    """
    Where the front server finds certificates: the paths of ``certificate`` (the chain, PEM) and ``key``.
    ``{hostname}`` and ``{site}`` stand for a name's own. ``pending`` are hostnames whose certificate is still to
    be issued: they are served over http alone, without a redirect to https. ``off`` are hostnames that never
    get one.
    """

    certificate: str
    key: str
    pending: tuple[str, ...] = ()
    off: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse(tls_problems(self))

    def is_on(self, hostname: str) -> bool:
        """Return whether ``hostname`` has its certificate."""
        return hostname not in self.pending and hostname not in self.off


def tls_problems(tls: TlsSpec) -> Iterator[Problem]:
    for key in ("certificate", "key"):
        value = getattr(tls, key)
        if not value:
            yield Problem(key, "It is required, an absolute path.")
            continue
        yield from problem_of(key, parse_template, value, fields=CERTIFICATE_FIELDS)
        yield from problem_of(key, lambda text: str(parse_path(Path(text))), value)
    for key in ("pending", "off"):
        for hostname in getattr(tls, key):
            yield from problem_of(key, parse_hostname, hostname)
    for hostname in set(tls.pending) & set(tls.off):
        yield Problem("off", f"The hostname {hostname} stands in pending, too.")
