"""DNS, asked at a name server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.operations.dns_server import Zone, running_name_server
from wagtail_multihost.monitor import resolving
from wagtail_multihost.monitor.failures import Failure
from wagtail_multihost.monitor.resolving import NameServers
from wagtail_multihost.monitor.ways import NoWayError


@pytest.fixture(name="zone")
def _zone() -> Iterator[Zone]:
    with running_name_server(Zone()) as zone:
        yield zone


def find(zone: Zone, name: str, silent_for: float = 0.0) -> list[str] | Failure:
    """Return the addresses of a name, or why there are none, after nobody has answered for some seconds."""

    async def run() -> list[str] | Failure:
        servers = NameServers([zone.server])
        servers.answered_at -= silent_for
        try:
            return [str(address) for address in await servers.find_addresses(name)]
        except NoWayError as error:
            return error.failure
        finally:
            await servers.close()

    return asyncio.run(run())


def test_all_addresses_are_found(zone: Zone) -> None:
    """Of both kinds, and behind an alias."""
    zone.answers["both.example"] = ["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1"]
    zone.answers["four.example"] = ["A 192.0.2.3"]
    assert sorted(find(zone, "both.example")) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert find(zone, "four.example") == ["192.0.2.3"]


def test_name_without_addresses_is_its_own_fault(zone: Zone) -> None:
    """It does not exist, has other records only, or its servers fail; a name server has said so."""
    zone.answers["text.example"] = ["TXT words"]
    zone.answers["broken.example"] = "SERVFAIL"
    for name in ("missing.example", "text.example", "broken.example"):
        assert find(zone, name, silent_for=3600) == Failure("dns", is_ours=False)


def test_name_with_very_many_addresses_is_not_asked(zone: Zone) -> None:
    """They cannot all be judged."""
    zone.answers["many.example"] = [f"A 192.0.2.{number}" for number in range(1, resolving.MOST_ADDRESSES + 2)]
    assert find(zone, "many.example") == []


def test_silence_is_ours_where_nobody_has_answered_for_long(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name whose servers are silent is down; with all names silent nobody knows."""
    monkeypatch.setattr(resolving, "TRY_SECONDS", 0.1)
    monkeypatch.setattr(resolving, "TRIES", 1)
    zone.answers["silent.example"] = None
    assert find(zone, "silent.example") == Failure("dns", is_ours=False)
    assert find(zone, "silent.example", silent_for=resolving.SILENT_AFTER + 1) == Failure("dns", is_ours=True)


def test_hosts_file_is_not_read(zone: Zone) -> None:
    """What this machine knows of a name says nothing of what visitors reach."""
    assert find(zone, "localhost") == Failure("dns", is_ours=False)
