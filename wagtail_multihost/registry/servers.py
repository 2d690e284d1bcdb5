"""
One spelling for each server that registries name. Names are not looked up: that would need the network, and give
another answer on every machine.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

LOCAL = "localhost"
# Where the server that listens on localhost has its socket too: the defaults of Debian's and of the original build
# (https://www.postgresql.org/docs/current/runtime-config-connection.html).
LOCAL_SOCKETS = frozenset({"/run/postgresql", "/var/run/postgresql", "/tmp"})  # noqa: S108
# Bucket names are unique in all of it, so a region makes no difference.
AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
DEFAULT_PORTS = {"http": 80, "https": 443}


def normalize_server(host: str, port: int) -> str:
    """Return ``host:port`` in one spelling; ``host`` may be the folder of a unix socket."""
    if host.startswith("/"):
        folder = f"/{os.path.normpath(host).lstrip('/')}"  # normpath keeps two slashes at the start
        host = LOCAL if folder in LOCAL_SOCKETS else folder
    else:
        host = normalize_host(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def normalize_endpoint(url: str) -> str:
    """Return the server of an S3 endpoint in one spelling; blank for Amazon's own, which need none."""
    if not url:
        return ""
    parts = urlsplit(url)
    host, port = normalize_host(parts.hostname or ""), parts.port
    if host.endswith(AMAZON):
        return ""
    return host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"


@lru_cache(maxsize=1024)
def normalize_host(host: str) -> str:
    """Return a host name or an IP address in lower case and its usual form; every address of this machine is one."""
    name = host.lower().removesuffix(".")
    if name == LOCAL or name.endswith(f".{LOCAL}"):  # RFC 6761, section 6.3
        return LOCAL
    address = parse_ip_address(name)
    if address is None:
        return name
    return LOCAL if address.is_loopback or address.is_unspecified else address.compressed


def parse_ip_address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that ``name`` spells, in the forms of inet_aton(3) too, or None."""
    try:
        address = ip_address(name)
    except ValueError:
        if not name[:1].isdigit():
            return None
        try:
            return IPv4Address(socket.inet_aton(name))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
