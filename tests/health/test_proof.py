"""The health endpoint proves which site it is of, to whoever asks with a nonce, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from tests.health.samplers import until
from tests.health.samples import Switch, Told, endpoint, failing, report
from tests.health.test_wrappers import ahello, exchange, get, hello
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.health import asgi, loading, middleware, process, proof, wsgi
from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.endpoint import FORMATS, Endpoint
from wagtail_multihost.health.proof import Prover, prove_nothing
from wagtail_multihost.running import Running
from wagtail_multihost.spec.proofs import is_proof, make_nonce, make_probe_key, public_probe_key
from wagtail_multihost.spec.secret import Secret

KEY, UID = make_probe_key(), UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")
PUBLIC = public_probe_key(KEY)
HOST = "aurora.example.org"
NONCE = "AAECAwQFBgcICQoLDA0ODw"


def proving(source: Told | None = None, *, drain: Switch | None = None, key: Secret = KEY) -> Endpoint:
    """Return an endpoint of a site with a probe key."""
    whole = endpoint(source, drain=drain)
    whole.prove = Prover(UID, key)
    return whole


def proof_of(whole: Endpoint, path: str = "ready", method: str = "GET", **more: Any) -> str | None:
    """Return the proof in an answer; None where there is none."""
    question = {"host": HOST, "nonce": NONCE, **more}
    answer = whole.answer(HealthRequest(method, f"/-/{path}", **question))
    assert answer is not None
    return dict(answer.all_headers).get("Multihost-Proof")


def is_own(found: str | None, nonce: str = NONCE, host: str = HOST, status: int = 200) -> bool:
    return found is not None and is_proof(found, PUBLIC, nonce, host, UID, status)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["ready", "ready/"])
def test_ready_site_proves_who_it_is(path: str, method: str) -> None:
    """Under the hostname that it was asked by, in any case and with any port."""
    for host in (HOST, "Aurora.Example.ORG", f"{HOST}:8443"):
        assert is_own(proof_of(proving(), path, method, host=host))
    assert is_own(proof_of(proving(), path, method, host="other.example"), host="other.example")


@pytest.mark.parametrize(
    ("source", "drain"),
    [(Told(None), False), (Told(failing()), False), (Told(report()), True)],
    ids=["starting", "failing", "draining"],
)
def test_site_that_is_not_ready_proves_that(source: Told, drain: bool) -> None:
    """Its status is in the proof: nobody on the way can make a 200 of it."""
    found = proof_of(proving(source, drain=Switch(drain)))
    assert is_own(found, status=503)
    assert not is_own(found, status=200)


@pytest.mark.parametrize("path", ["live", "startup", "drain", *FORMATS, "site/aurora", "site/unknown"])
def test_no_other_path_proves_anything(path: str) -> None:
    assert proof_of(proving(), path) is None


def test_other_method_proves_nothing() -> None:
    assert proof_of(proving(), method="POST") is None


@pytest.mark.parametrize(
    "more",
    [
        {"nonce": ""},
        {"nonce": NONCE[1:]},
        {"nonce": f"{NONCE}A"},
        {"nonce": f"{NONCE},{NONCE}"},
        {"nonce": f"{NONCE[:-1]}="},
        {"nonce": f"{NONCE}\n"},
        {"nonce": "A" * 1_000_000},
        {"nonce": "\xe9" * 22},
        {"host": ""},
        {"host": "[::1]"},
        {"host": f"{HOST}, x"},
        {"host": "a" * 1_000_000},
    ],
    ids=lambda more: repr(more)[:40],
)
def test_what_is_no_question_gets_the_plain_answer(more: dict[str, Any]) -> None:
    """It is ignored, not refused, and no key is read for it."""
    whole = proving(key=Secret.computed(lambda: pytest.fail("The key was read.")))
    answer = whole.answer(HealthRequest("GET", "/-/ready", **{"host": HOST, "nonce": NONCE, **more}))
    assert answer == endpoint().answer(HealthRequest("GET", "/-/ready"))


def test_site_without_a_key_answers_without_a_proof() -> None:
    whole = endpoint()
    assert whole.prove is prove_nothing
    assert proof_of(whole) is None


def test_package_that_is_missing_changes_no_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, not at each question."""

    def refuse(key: Secret) -> Any:
        raise ModuleNotFoundError("No module named 'cryptography'")

    monkeypatch.setattr(proof, "read_probe_key", refuse)
    whole = proving()
    for _ in range(3):
        answer = whole.answer(HealthRequest("GET", "/-/ready", host=HOST, nonce=NONCE))
        assert answer is not None
        assert (answer.status, answer.headers) == (200, ())
    assert caplog.text.count("install wagtail-multihost[signatures]") == 1


def test_key_that_cannot_sign_makes_no_site_unready(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the reason, once and without the key."""
    whole = proving(key=Secret("no-key-hunter2"))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            answer = whole.answer(HealthRequest("GET", "/-/ready", host=HOST, nonce=NONCE))
            assert answer is not None
            assert (answer.status, answer.body, answer.headers) == (200, b"warn", ())
    assert caplog.text.count("cannot prove which site it is of") == 1
    assert "hunter2" not in caplog.text


def test_key_is_read_once() -> None:
    """And by the first question, not before: what signs takes memory that most processes need not have."""
    reads = []
    whole = proving(key=Secret.computed(lambda: reads.append(1) or KEY.reveal()))
    assert proof_of(whole, nonce="") is None and not reads
    proof_of(whole)
    first = len(reads)
    proof_of(whole)
    assert first and len(reads) == first


def test_each_nonce_gets_its_own_proof() -> None:
    """Nothing on the way may keep one, and nothing here does."""
    whole = proving()
    for nonce in (make_nonce(), make_nonce()):
        answer = whole.answer(HealthRequest("GET", "/-/ready", host=HOST, nonce=nonce))
        assert answer is not None
        headers = dict(answer.all_headers)
        assert is_own(headers["Multihost-Proof"], nonce)
        assert headers["Cache-Control"] == "no-store"


# The process's own, in the middleware and the wrappers.


@pytest.fixture
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A process of a site that has a probe key, without probes."""
    settings.MULTIHOST_HEALTH = {"PROBES": {}, "BUDGET": 60_000}
    own = a_site(uid=UID, probe_key=KEY)
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(), site=own))
    process.forget_endpoint()
    yield own
    process.forget_endpoint()


def test_wsgi_wrapper_proves(site: Any) -> None:
    application = wsgi.HealthApplication(lambda: hello)
    until(lambda: application.loading.is_done)
    for method, body in (("GET", b"pass"), ("HEAD", b"")):
        answer = get(application, "/-/ready/", method, HTTP_HOST=f"{HOST}:80", HTTP_MULTIHOST_NONCE=NONCE)
        assert answer[:2] == (200, body)
        assert is_own(answer[2]["Multihost-Proof"])
    assert "Multihost-Proof" not in get(application, "/-/ready/", HTTP_HOST=HOST)[2]
    assert get(application, "/", HTTP_HOST=HOST, HTTP_MULTIHOST_NONCE=NONCE)[2] == {"X-From": "application"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_asgi_wrapper_proves(site: Any, method: str) -> None:
    application = asgi.HealthApplication(lambda: ahello)
    until(lambda: application.loading.is_done)
    asked = [(b"host", HOST.encode()), (b"multihost-nonce", NONCE.encode())]
    other = [asked[:1], asked[1:], [*asked, asked[1]], [*asked, asked[0]]]
    for headers, is_proven in ((asked, True), *((headers, False) for headers in other)):
        scope = {"type": "http", "path": "/-/ready", "method": method, "headers": headers}
        sent = dict(asyncio.run(exchange(application, scope))[0]["headers"])
        assert is_own(sent.get(b"multihost-proof", b"").decode()) is is_proven


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_middleware_proves(site: Any, rf: RequestFactory, method: str) -> None:
    """The response that is kept for plain questions has no proof, before and after one."""
    respond: Any = middleware.HealthMiddleware(lambda request: HttpResponse("passed on"))
    until(lambda: process.own_endpoint().report() is not None)
    for nonce in ("", make_nonce(), make_nonce(), ""):
        response = respond(rf.generic(method, "/-/ready", headers={"host": HOST, "multihost-nonce": nonce}))
        found = response.headers.get("Multihost-Proof")
        assert is_own(found, nonce) if nonce else found is None
        assert response.headers["Cache-Control"] == "no-store"


def test_async_middleware_proves(site: Any, rf: RequestFactory) -> None:
    async def pass_on(request: Any) -> HttpResponse:
        return HttpResponse("passed on")

    respond: Any = middleware.HealthMiddleware(pass_on)
    response = asyncio.run(respond(rf.get("/-/ready", headers={"host": HOST, "multihost-nonce": NONCE})))
    assert is_own(response.headers["Multihost-Proof"])


def test_application_that_is_being_loaded_proves_nothing(site: Any) -> None:
    """Its settings, and so its key, are not known yet."""
    own = loading.Loading(lambda: hello, "/-/", background=False)
    answer = own.answer(HealthRequest("GET", "/-/ready", host=HOST, nonce=NONCE))
    assert answer is not None
    assert answer.headers == ()


@pytest.mark.parametrize("platform", [a_platform(), a_platform(secret_key=None)], ids=["derived", "none"])
def test_process_without_a_key_of_its_own(platform: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads the platform's key, as in development, derives its own; one that has neither proves nothing."""
    settings.MULTIHOST_HEALTH = {"PROBES": {}}
    site = a_site(secret_key=None if platform.keyring else Secret("k" * 50))
    monkeypatch.setattr(running, "_current", Running(platform=platform, site=site))
    assert (process.own_prover() is prove_nothing) is (not platform.keyring)


def test_process_without_a_site_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for current in (None, Running(), Running(platform=a_platform(), site=a_site(probe_key=KEY), ephemeral=True)):
        monkeypatch.setattr(running, "_current", current)
        assert process.own_prover() is prove_nothing


def test_child_that_becomes_another_site_proves_that(settings: Any, monkeypatch: pytest.MonkeyPatch, site: Any) -> None:
    """A key of the site before is forgotten with its endpoint."""
    monkeypatch.setattr(process.Sampler, "wait", lambda self, seconds: report())
    assert is_own(proof_of(process.own_endpoint()))
    other = make_probe_key()
    running.set_running(Running(platform=a_platform(), site=a_site(id="borealis", probe_key=other)))
    assert not is_own(proof_of(process.own_endpoint()))


def test_endpoint_loads_nothing_that_signs(site: Any) -> None:
    """Until a monitor asks."""
    code = (
        "import sys, wagtail_multihost.health.proof, wagtail_multihost.health.endpoint; "
        "assert not [name for name in sys.modules if name.startswith('cryptography')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
