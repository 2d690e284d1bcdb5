"""From an error of the HTTP client to the word for it; none of its text, which may be a site's, goes any further."""

from __future__ import annotations

import errno
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from wagtail_multihost.nodeapi.probe_states import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NAME,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS,
    TOO_LARGE,
)

# Of OpenSSL (x509_vfy.h): not valid yet, has expired; another name, another address.
NOT_YET_VALID, EXPIRED, NAME_MISMATCH, ADDRESS_MISMATCH = 9, 10, 62, 64
#: What this machine lacks, and not the server: descriptors, buffers, memory, ports, a way to the network.
OURS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ENETDOWN}
)
NO_ANSWER = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, *OURS})
#: How the client's messages begin that say so; what follows may be the server's.
TOO_LONG = ("Got more than ", "Too many headers ")
RESETS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


class Failure(NamedTuple):
    """Why there is no answer, and whether the fault may be the monitor's own."""

    reason: str
    is_ours: bool = False


def name_failure(error: BaseException) -> Failure:
    """Return the word for what ended a request."""
    if isinstance(error, TimeoutError):
        return Failure(TIMEOUT)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Failure(name_of_certificate_error(error.certificate_error))
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return Failure(TLS)
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure(TOO_LARGE if is_too_large(error.__cause__) else RESET)
    if isinstance(error, OSError):
        return name_system_error(error)
    return Failure(RESET)


def is_too_large(cause: BaseException | None) -> bool:
    """Return whether the head of an answer was longer than the client's bounds, of which it has no class of its own."""
    return isinstance(cause, HttpProcessingError) and str(cause.message).startswith(TOO_LONG)


def name_of_certificate_error(error: Exception) -> str:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in (EXPIRED, NOT_YET_VALID):
        return CERTIFICATE_EXPIRED
    return CERTIFICATE_NAME if code in (NAME_MISMATCH, ADDRESS_MISMATCH) else TLS


def name_system_error(error: OSError) -> Failure:
    if error.errno in NO_ANSWER:
        return Failure(TIMEOUT, error.errno in OURS)
    if error.errno in RESETS:
        return Failure(RESET)
    return Failure(REFUSED if isinstance(error, aiohttp.ClientConnectorError) else RESET)
