"""
Which unix sockets somebody listens at, as the kernel says: nothing is connected to, so that no site is woken, and no
site can say it of another one's.

The answer has the inode of each socket's file (sock_diag(7), UDIAG_SHOW_VFS), so that no path is read that a process
has made up.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

#: Of linux/netlink.h, linux/sock_diag.h and linux/unix_diag.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
REQUEST_OF_ALL = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
LISTEN = 1 << 10
SHOW_VFS, ATTRIBUTE_VFS = 2, 1
HEADER, MESSAGE, ATTRIBUTE, PLACE = struct.Struct("=IHHII"), struct.Struct("=BBBBIII"), struct.Struct("=HH"), "=II"
REQUEST = struct.Struct("=BBHIIIII")
BUFFER = 1 << 20
SECONDS = 5
#: A kernel's number of a device has its minor number in the lower bits (linux/kdev_t.h).
MINOR_BITS = 20
#: A file: the major and minor number of its device, and its inode's, of which the kernel tells the lower 32 bits.
Place = tuple[int, int, int]


def find_listeners() -> frozenset[Place] | None:
    """Return the places of all sockets that somebody listens at; None where the kernel does not say."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as asked:
            asked.settimeout(SECONDS)
            body = REQUEST.pack(socket.AF_UNIX, 0, 0, LISTEN, 0, SHOW_VFS, 0, 0)
            asked.send(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, REQUEST_OF_ALL, 1, 0) + body)
            found: set[Place] = set()
            while True:
                places, is_last = parse_answer(asked.recv(BUFFER))
                found |= places
                if is_last:
                    return frozenset(found)
    except (OSError, struct.error):
        return None


def parse_answer(data: bytes) -> tuple[set[Place], bool]:
    """Return the places in one part of an answer, and whether it is the last. Raises OSError for a refusal."""
    found: set[Place] = set()
    start = 0
    while start + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, start)
        if kind == NLMSG_ERROR or length < HEADER.size:
            raise OSError("the kernel does not say who listens")
        if kind == NLMSG_DONE:
            return found, True
        found |= places_in(data[start + HEADER.size + MESSAGE.size : start + length])
        start += aligned(length)
    return found, False


def places_in(attributes: bytes) -> set[Place]:
    found, start = set(), 0
    while start + ATTRIBUTE.size <= len(attributes):
        length, kind = ATTRIBUTE.unpack_from(attributes, start)
        if length < ATTRIBUTE.size:
            break
        if kind == ATTRIBUTE_VFS:
            inode, device = struct.unpack_from(PLACE, attributes, start + ATTRIBUTE.size)
            found.add((device >> MINOR_BITS, device & ((1 << MINOR_BITS) - 1), inode))
        start += aligned(length)
    return found


def aligned(length: int) -> int:
    return (length + 3) & ~3


def is_listening(path: Path, listeners: frozenset[Place]) -> bool:
    """Return whether the file at ``path``, no link, is a socket that somebody listens at."""
    try:
        status = path.lstat()
    except OSError:
        return False
    place = (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino & 0xFFFFFFFF)
    return stat.S_ISSOCK(status.st_mode) and place in listeners


def silent_sites(platform: PlatformSpec, sites: Iterable[SiteSpec]) -> list[str]:
    """Return the ids of the enabled sites at whose sockets nobody listens; none where the kernel does not say."""
    listeners = find_listeners()
    if listeners is None:
        return []
    silent = (
        site for site in sites if site.enabled and not is_listening(platform.sockets / site.names.socket, listeners)
    )
    return sorted(site.id for site in silent)
