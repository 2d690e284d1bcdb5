"""The cache class of sites on a Redis server that they share, with a real server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.processes import running, wait_for
from wagtail_multihost.backends.cache import BATCH, SiteRedisCache

pytestmark = pytest.mark.servers


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    address = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", folder]
    try:
        with running(command, folder / "redis.log"):
            wait_for(address.exists, "the Redis server")
            yield f"unix://{address}?db=0"
    finally:
        shutil.rmtree(folder)


def test_clear_takes_the_keys_of_its_own_prefix_only(server: str) -> None:
    """However many keys a site has, clear takes them all, and no key of a site whose id only starts alike."""
    own = SiteRedisCache(server, {"KEY_PREFIX": "aviary.a"})
    other = SiteRedisCache(server, {"KEY_PREFIX": "aviary.a-b"})
    own.set_many({str(number): number for number in range(BATCH + 1)})
    other.set("kept", "kept")
    own.clear()
    assert own.get_many([str(number) for number in range(BATCH + 1)]) == {}
    assert other.get("kept") == "kept"
    own.clear()
    assert other.get("kept") == "kept"
    own.close()
    other.close()
