"""Where a front server finds certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems
from wagtail_multihost.spec.declared import key as declare
from wagtail_multihost.spec.kinds import HOSTNAMES, Kind
from wagtail_multihost.spec.validation import parse_path, parse_template, raise_problems

CERTIFICATE_FIELDS = frozenset({"hostname", "site"})
STAND_INS = "`{hostname}` and `{site}` stand for the hostname and its site's id."


def parse_certificate_path(value: str) -> str:
    """Return ``value`` when it is an absolute path, in which ``{hostname}`` and ``{site}`` may stand."""
    if not value:
        raise ValueError("It is required, an absolute path.")
    return str(parse_path(Path(parse_template(value, fields=CERTIFICATE_FIELDS))))


CERTIFICATE = Kind("absolute path", str, parse_certificate_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    """
    Where the front server finds certificates: the paths of ``certificate`` (the chain, PEM) and ``key``.
    ``{hostname}`` and ``{site}`` stand for the hostname and its site's id. ``pending`` are hostnames whose certificate
    is still to be issued: they are served over http only, without a redirect to https. ``off`` are hostnames that never
    get one.
    """

    certificate: str = declare(
        CERTIFICATE, f"The certificate and its chain, PEM. {STAND_INS}", required=True, front=True, who="node"
    )
    key: str = declare(
        CERTIFICATE,
        f"Its key. {STAND_INS}",
        required=True,
        front=True,
        who="node",
        invalidates=("Nothing of the site. The front server has it, not the site's process.",),
    )
    pending: tuple[str, ...] = declare(
        HOSTNAMES,
        "Those of the site whose certificate is still to be issued: on http only, without a redirect to https.",
        (),
        front=True,
    )
    off: tuple[str, ...] = declare(HOSTNAMES, "Those of the site that never get a certificate.", (), front=True)

    def __post_init__(self) -> None:
        raise_problems(tls_problems(self))

    def is_on(self, hostname: str) -> bool:
        """Return whether ``hostname`` has its certificate."""
        return hostname not in self.pending and hostname not in self.off


def tls_problems(tls: TlsSpec) -> Iterator[Problem]:
    yield from declared_problems(tls)
    for hostname in set(tls.pending) & set(tls.off):
        yield Problem("off", f"The hostname {hostname} is in pending, too.")
