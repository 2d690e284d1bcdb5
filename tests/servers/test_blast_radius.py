"""What is wrong with one site is wrong with that site alone, whatever it is."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.accounts import needs_root
from tests.servers.accounts import FRONT
from tests.servers.blast import (
    APPLICATION,
    HANG,
    HURT,
    NEIGHBOURS,
    OWN_SERVER,
    REQUESTS,
    SLOW,
    Fault,
    Outcome,
    Street,
    observed,
    opened_street,
)
from tests.servers.blast import expire as expire_certificate
from tests.servers.processes import wait_for

pytestmark = [pytest.mark.servers, needs_root]

HOST = f"{HURT}.example.org"


@pytest.fixture(name="street", scope="module")
def _street() -> Iterator[Street]:
    with opened_street() as street:
        yield street


@pytest.fixture(name="table", scope="module")
def _table(request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    """Outcomes, which are shown when all faults are over."""
    outcomes: list[Outcome] = []
    yield outcomes
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines(outcomes), sep="\n")


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    form = "{:<22} {:<11} {:>7}  {:<12} {:>19}  {:>17}"
    yield form.format("fault", "sites hurt", "seconds", "its visitors", "neighbours answered", "slowest (seconds)")
    for outcome in sorted(outcomes, key=lambda outcome: outcome.fault.name):
        statuses = ", ".join(str(status or "none") for status in sorted(outcome.statuses))
        answered = f"{outcome.answered} of {outcome.asked}"
        hurt = ", ".join(sorted(outcome.hurt)) or "none"
        seconds, slowest = f"{outcome.seconds:.1f}", f"{outcome.slowest:.2f}"
        yield form.format(outcome.fault.name, hurt, seconds, statuses, answered, slowest)


@contextmanager
def no_cause(street: Street) -> Iterator[None]:
    """Leave the trouble to what visitors ask."""
    assert street.serves(HURT)
    yield


@contextmanager
def kept_certificate(street: Street) -> Iterator[None]:
    """Keep the hurt site's certificate, and put it back as a renewal does: without a reload."""
    path = street.front.folder / f"{HOST}.pem"
    kept = path.with_suffix(".kept")
    shutil.copyfile(path, kept)
    FRONT.take(kept, 0o640)
    try:
        yield
    finally:
        kept.replace(path)


@contextmanager
def expired_certificate(street: Street) -> Iterator[None]:
    with kept_certificate(street):
        expire_certificate(street, HOST)
        yield


@contextmanager
def broken_certificate(street: Street) -> Iterator[None]:
    """Write half a certificate, and reload nginx."""
    with kept_certificate(street):
        path = street.front.folder / f"{HOST}.pem"
        path.write_text(path.read_text()[:200])
        street.reload_nginx()
        yield


@contextmanager
def missing_certificate(street: Street) -> Iterator[None]:
    """Remove a certificate, and reload nginx."""
    with kept_certificate(street):
        (street.front.folder / f"{HOST}.pem").unlink()
        street.reload_nginx()
        yield


@contextmanager
def broken_code(street: Street) -> Iterator[None]:
    """Deploy code that cannot be imported, wait until it was started twice, and deploy code that can."""
    path = street.code(HURT)
    before = street.log.read_text().count("no shop today")
    path.write_text('raise RuntimeError("no shop today")')
    try:
        street.touch_vassal(HURT)
        wait_for(lambda: street.log.read_text().count("no shop today") >= before + 2, "the respawn")
        yield
    finally:
        path.write_text(APPLICATION)
        street.touch_vassal(HURT)


@contextmanager
def silent_listener(street: Street) -> Iterator[None]:
    """Put a socket in the place of the hurt site's that takes connections and says nothing."""
    path = street.socket(HURT)
    kept = path.with_suffix(".kept")
    path.rename(kept)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            FRONT.take(path, 0o660)
            listener.listen(100)
            yield
    finally:
        kept.replace(path)


FAULTS = (
    Fault("expired certificate", expired_certificate, {0}),
    Fault("broken certificate", broken_certificate, {0}),
    Fault("missing certificate", missing_certificate, {0}),
    Fault("crash at import", broken_code, {502}),
    Fault("crash in a request", no_cause, {502, 504}, "/crash"),
    Fault("over the memory limit", no_cause, {502}, "/grow"),
    Fault("hung workers", no_cause, {502, 504}, "/hang"),
    Fault("silent socket", silent_listener, {504}),
    Fault("endless answer", no_cause, {200, 504}, "/endless"),
    Fault("huge headers", no_cause, {502}, "/headers"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault_of_one_site_hurts_that_site_alone(street: Street, table: list[Outcome], fault: Fault) -> None:
    """Meanwhile every request to its neighbours is answered by their own code; afterwards it serves again."""
    outcome = observed(street, fault)
    table.append(outcome)
    assert outcome.hurt == {HURT}
    assert outcome.answered == outcome.asked >= REQUESTS * len(NEIGHBOURS)
    assert outcome.statuses <= set(fault.statuses)


def test_reload_ends_workers_that_do_not_hear_it(street: Street) -> None:
    """A site whose worker blocks the signal for a reload has its new code after ``harakiri`` seconds all the same."""
    path = street.code(HURT)
    assert street.ask(HURT, "/deaf").status == 200
    path.write_text(APPLICATION.replace("[SITE]", "[SITE.upper()]"))
    try:
        street.touch_vassal(HURT)
        wait_for(lambda: street.ask(HURT).body == HURT.upper(), "the new code", HANG / 2)
    finally:
        path.write_text(APPLICATION)
        street.touch_vassal(HURT)
    street.wait_until_served(HURT, HANG / 2, "after the reload")


def test_reload_waits_for_requests(street: Street) -> None:
    """What a visitor is being sent when the site's new code is deployed is sent to its end."""
    reload = f"reload the uwsgi instance {street.plan.directory}/uwsgi/{OWN_SERVER}.ini"
    before = street.log.read_text().count(reload)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(street.ask, OWN_SERVER, "/slow")
        street.touch_vassal(OWN_SERVER)
        wait_for(lambda: street.log.read_text().count(reload) > before, "the reload")
        assert not answer.done()
        body = answer.result().body
    assert (body.count("still here"), body.count("done")) == (SLOW, 1)
    street.wait_until_served(OWN_SERVER, HANG / 2, "after the reload")
