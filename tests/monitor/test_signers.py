"""Whose proof an answer has, and what trying keys may cost."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tests.monitor.servers import Site
from wagtail_multihost.monitor import signers as module
from wagtail_multihost.monitor.signers import Signers
from wagtail_multihost.spec.proofs import make_nonce, sign_proof

SITES = [Site(f"site-{number}") for number in range(50)]
TARGETS = [site.target() for site in SITES]
NONCE = make_nonce()
FORGED = "v1=" + "A" * 86 + "=="


def find(signers: Signers, site: Site, proof: str, status: int = 200) -> UUID | None:
    return asyncio.run(signers.find(site.target(), proof, NONCE, status))


def known() -> Signers:
    signers = Signers()
    signers.replace(TARGETS)
    return signers


def prove(signer: Site, asked: Site, uid: UUID | None = None) -> str:
    return sign_proof(signer.key, NONCE, asked.target().hostname, uid or signer.uid, 200)


def test_site_is_found_by_its_key() -> None:
    """Its own first, then all others; a key that nobody knows is nobody's."""
    signers = known()
    assert find(signers, SITES[0], prove(SITES[0], SITES[0])) == SITES[0].uid
    assert find(signers, SITES[0], prove(SITES[40], SITES[0])) == SITES[40].uid
    assert find(signers, SITES[0], prove(Site("stranger"), SITES[0])) is None
    assert find(signers, SITES[0], FORGED) is None
    assert find(signers, SITES[0], "v1=short") is None


def test_site_cannot_prove_that_it_is_another_one() -> None:
    """Its key is no other site's, and a proof for another hostname is none for this one."""
    signers = known()
    assert find(signers, SITES[0], prove(SITES[1], SITES[0], SITES[0].uid)) is None
    assert find(signers, SITES[0], prove(SITES[0], SITES[2])) is None
    assert find(signers, SITES[0], prove(SITES[0], SITES[0]), status=503) is None


def test_what_was_found_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a host map that stays mixed up costs no search with each probe."""
    signers = known()
    find(signers, SITES[0], prove(SITES[40], SITES[0]))
    tried = []
    real = module.is_proof
    monkeypatch.setattr(module, "is_proof", lambda *values: tried.append(1) or real(*values))
    assert find(signers, SITES[0], prove(SITES[40], SITES[0])) == SITES[40].uid
    assert len(tried) == 2
    signers.replace([target for target in TARGETS if target.site != "site-40"])
    assert signers.seen == {}


def test_forged_proofs_have_a_budget() -> None:
    """Once it is used up, no more than the site's own key is tried, until time has passed."""
    signers = known()
    signers.budget = 0.0005
    assert find(signers, SITES[0], FORGED) is None
    signers.budget, signers.counted_at = -1.0, module.time.monotonic()
    assert find(signers, SITES[0], prove(SITES[40], SITES[0])) is None
    assert find(signers, SITES[0], prove(SITES[0], SITES[0])) == SITES[0].uid
    signers.counted_at = module.time.monotonic() - 3600
    assert find(signers, SITES[0], prove(SITES[40], SITES[0])) == SITES[40].uid
    assert signers.budget <= module.MOST_AT_ONCE


def test_one_search_runs_at_a_time() -> None:
    """Whoever comes meanwhile is told nothing, and asks again with the next probe."""

    async def run() -> list[UUID | None]:
        signers = known()
        proofs = [prove(SITES[40], SITES[number]) for number in range(3)]
        return await asyncio.gather(
            *(signers.find(SITES[number].target(), proofs[number], NONCE, 200) for number in range(3))
        )

    found = asyncio.run(run())
    assert found.count(SITES[40].uid) == 1


def test_search_ends_where_its_budget_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only before it begins: with ten thousand sites one search takes a second."""
    signers = known()
    signers.budget = 1e-9
    signers.counted_at = module.time.monotonic()
    tried: list[int] = []
    real = module.is_proof
    monkeypatch.setattr(module, "is_proof", lambda *values: tried.append(1) or real(*values))
    assert find(signers, SITES[0], FORGED) is None
    assert len(tried) <= module.SLICE + 2
