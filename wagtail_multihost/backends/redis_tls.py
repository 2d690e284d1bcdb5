"""TLS to Redis that trusts whom the site's settings name, and nobody whom a variable names."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from typing import Any

from redis.connection import Connection, SSLConnection
from redis.exceptions import RedisError


class SiteTLSConnection(SSLConnection):
    """
    redis-py's connection, but for its context: that takes authorities from SSL_CERT_FILE and SSL_CERT_DIR beside those
    that are stated, and writes its keys where SSLKEYLOGFILE says
    (https://docs.python.org/3/library/ssl.html#ssl.create_default_context).
    """

    def _connect(self) -> Any:
        plain = Connection._connect(self)  # type: ignore[no-untyped-call]  # redis-py has few types
        try:
            return make_tls_context(self).wrap_socket(plain, server_hostname=self.host)
        except (OSError, RedisError):
            plain.close()
            raise


def make_tls_context(connection: Any) -> ssl.SSLContext:
    """Return a context with what redis-py was told about a connection, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = connection.check_hostname
    context.verify_mode = connection.cert_reqs
    if connection.certfile or connection.keyfile:
        context.load_cert_chain(connection.certfile, connection.keyfile, connection.certificate_password)
    load_authorities(context, connection.ca_certs, connection.ca_path, connection.ca_data)
    # Newer releases of redis-py have these.
    for flag in getattr(connection, "ssl_include_verify_flags", None) or ():
        context.verify_flags |= flag
    for flag in getattr(connection, "ssl_exclude_verify_flags", None) or ():
        context.verify_flags &= ~flag
    if least := getattr(connection, "ssl_min_version", None):
        context.minimum_version = least
    if ciphers := getattr(connection, "ssl_ciphers", None):
        context.set_ciphers(ciphers)
    return context


def load_authorities(context: ssl.SSLContext, file: Any, folder: Any, data: Any) -> None:
    """Make ``context`` trust the authorities that are stated, or those of the system, wherever OpenSSL has them."""
    if file or folder or data:
        context.load_verify_locations(file, folder, data)
        return
    system = ssl.get_default_verify_paths()
    found = system.openssl_cafile if os.path.isfile(system.openssl_cafile) else None
    places = system.openssl_capath if os.path.isdir(system.openssl_capath) else None
    if found or places:
        context.load_verify_locations(found, places)


def tls_connection_class(servers: Iterable[str]) -> dict[str, Any]:
    """Return the argument by which a pool of redis-py makes connections to ``servers``; nothing unless all have TLS."""
    return {"connection_class": SiteTLSConnection} if all(server.startswith("rediss:") for server in servers) else {}
