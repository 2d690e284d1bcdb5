"""The hostnames that probes use."""

from __future__ import annotations

from collections.abc import Iterable

from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import parse_hostname


def own_hostnames() -> tuple[str, ...]:
    """Return the hostnames and aliases of this process's site."""
    site = own_site()
    return (*site.hostnames, *site.aliases) if site else ()


def check_hostnames(stated: Iterable[str]) -> tuple[str, ...]:
    """Return the hostnames in the form that certificates have; raises ValueError."""
    return tuple(parse_hostname(hostname) for hostname in check_texts("hostnames", stated))


def check_texts(name: str, stated: Iterable[str]) -> tuple[str, ...]:
    """Return the list of strings in the option ``name``; raises ValueError."""
    if not isinstance(stated, list | tuple) or not all(isinstance(item, str) for item in stated):
        raise ValueError(f"The option {name} is not accepted: it must be a list of strings.")
    return tuple(stated)
