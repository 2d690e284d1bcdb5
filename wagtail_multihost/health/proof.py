"""
The proof of which site answers: a signature with the site's probe key, for a request that has a monitor's nonce. It is
no part of the health: whatever is in the way of it, the answer is the same without it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.spec.proofs import NONCE, PROOF_HEADER, hostname_of, read_probe_key, sign_proof
from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Headers = tuple[tuple[str, str], ...]

logger = logging.getLogger("wagtail_multihost.health")


class Proves(Protocol):
    """Returns the headers that prove who answers ``request`` with a ``status``; none where that is not asked."""

    def __call__(self, request: HealthRequest, status: int) -> Headers: ...


def prove_nothing(request: HealthRequest, status: int) -> Headers:
    return ()


class Prover:
    """
    Proves that the site ``uid``, whose probe key is ``key``, answers under the hostname of the request. The key is read
    with the first nonce: few processes are ever asked for a proof, and what signs takes megabytes of memory.
    """

    def __init__(self, uid: UUID, key: Secret) -> None:
        self.uid, self.key = uid, key
        self.private_key: Ed25519PrivateKey | None = None
        self.is_read = False

    def __call__(self, request: HealthRequest, status: int) -> Headers:
        hostname = hostname_of(request.host)
        if not NONCE.fullmatch(request.nonce) or not hostname:
            return ()
        try:
            if not self.is_read:
                self.private_key = self.read()
                self.is_read = True  # last: another thread may be here too
            if self.private_key is None:
                return ()
            return ((PROOF_HEADER, sign_proof(self.private_key, request.nonce, hostname, self.uid, status)),)
        except Exception:
            logger.exception("The health endpoint cannot prove which site it is of.")
            self.private_key, self.is_read = None, True  # said once
            return ()

    def read(self) -> Ed25519PrivateKey | None:
        """Return the key; None where nothing can sign, which is logged once."""
        try:
            return read_probe_key(self.key)
        except ModuleNotFoundError:
            logger.warning(
                "A monitor asks which site this is, and nothing here can sign: install wagtail-multihost[signatures]."
            )
            return None
