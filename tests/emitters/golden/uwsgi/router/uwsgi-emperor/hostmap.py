# Managed by wagtail-multihost; do not edit.
"""The socket of a host, for uWSGI's HTTP router (http-use-code-string)."""

import os

HOSTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hosts.txt")
UNKNOWN = b"*"


class HostMap:
    """The list in hosts.txt, read again when the file changes; an unreadable list keeps the one before."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.sockets = {}

    def refresh(self):
        status = os.stat(self.path)
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if stamp == self.stamp:
            return
        with open(self.path, "rb") as file:
            lines = [line.split(b" ", 1) for line in file.read().splitlines() if line and not line.startswith(b"#")]
        self.sockets = {host: socket for host, socket in lines}
        self.stamp = stamp

    def socket(self, host):
        try:
            self.refresh()
        except (OSError, ValueError):
            pass
        name, colon, port = host.strip().lower().rpartition(b":")
        if not colon or not port.isdigit():
            name = host.strip().lower()
        name = name.removesuffix(b".")  # the same host by RFC 3986, section 3.2.2
        return self.sockets.get(name, self.sockets.get(UNKNOWN, b""))


host_map = HostMap(HOSTS)


def lookup(key):
    """Return the address, in bytes, of the socket that serves the host ``key``."""
    return host_map.socket(key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape"))
