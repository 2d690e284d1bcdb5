"""Caches that share a server: whose a prefix is, and clear()."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from wagtail_multihost.backends import generations
from wagtail_multihost.backends.generations import GenerationCache
from wagtail_multihost.backends.session_names import ENGINES, entry_name, older_names
from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.resolver.caches import KEY_FUNCTION

Become = Callable[..., None]
OTHER = UUID("00000000-0000-5000-8000-000000000001")
PREFIX = "aviary.aurora"
OWNER = "aviary.aurora:owner"


class Server(dict[str, Any]):
    """What a cache server holds, and how often its owner key was read."""

    reads = 0
    is_deaf = False


class DictCache(BaseCache):
    """A backend that keeps its entries in a Server, as Django's do on theirs."""

    def __init__(self, server: Server, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.server = server

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self.server.get(self.make_key(key, version), default)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self.server[self.make_key(key, version)] = value

    def has_key(self, key: str, version: int | None = None) -> bool:
        return self.make_key(key, version) in self.server

    def delete(self, key: str, version: int | None = None) -> bool:
        own = self.make_key(key, version)
        return own in self.server and [self.server.pop(own)] != []


class SharedCache(GenerationCache, DictCache):
    def __init__(self, server: Server, prefix: str = PREFIX) -> None:
        super().__init__(server, {"KEY_PREFIX": prefix})
        self.place = (str(id(server)), prefix)

    def read_owner(self) -> bytes | None:
        self.server.reads += 1
        return self.server.get(self.owner_key)

    def add_owner(self, value: bytes) -> None:
        if not self.server.is_deaf:
            self.server.setdefault(self.owner_key, value)

    def write_owner(self, value: bytes) -> None:
        if not self.server.is_deaf:
            self.server[self.owner_key] = value


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr(generations, "time", own)
    return own


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Become a process that knows nothing of any cache yet."""

    def start() -> None:
        monkeypatch.setattr(generations, "_known", {})

    start()
    return start


def test_cache_marks_its_prefix_at_the_first_use(become: Become) -> None:
    """The owner key has the uid; entries have the prefix and a generation, and never the owner's key."""
    become()
    server = Server()
    cache = SharedCache(server)
    assert server == {}
    cache.set("a", 1)
    mark = json.loads(server[OWNER])
    assert mark["uid"] == "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
    assert server[f"{PREFIX}:@{mark['generation']}:1:a"] == 1
    cache.set("owner", 2, version=None)
    assert json.loads(server[OWNER]) == mark


@pytest.mark.parametrize("changes", [{"uid": OTHER}, {"environment": "staging"}])
def test_cache_with_another_sites_mark_is_refused_every_time(
    become: Become, another_process: Callable[[], None], changes: dict[str, Any]
) -> None:
    """Neither reading nor writing nor clearing reaches a prefix that another site has marked."""
    become()
    server = Server()
    SharedCache(server).set("a", 1)
    before = dict(server)
    another_process()
    become(**changes)
    cache = SharedCache(server)
    for use in (lambda: cache.get("a"), lambda: cache.set("a", 2), cache.clear, lambda: cache.get("a")):
        with pytest.raises(IdentityError, match=PREFIX):
            use()
    assert server == before


def test_clear_empties_the_cache_and_keeps_the_mark(become: Become) -> None:
    """After clear() no entry is found, of any version; the prefix stays the site's, and its neighbours' stay full."""
    become()
    server = Server()
    cache, neighbour = SharedCache(server), SharedCache(server, "aviary.aurora.renditions")
    cache.set("a", 1)
    cache.set("b", 1, version=2)
    neighbour.set("a", 1)
    cache.clear()
    assert (cache.get("a"), cache.get("b", version=2), neighbour.get("a")) == (None, None, 1)
    assert json.loads(server[OWNER])["uid"]


def test_clear_reaches_other_processes_within_a_second(
    become: Become, another_process: Callable[[], None], clock: Clock
) -> None:
    """A process that has read the generation sees the new one as soon as its second is over."""
    become()
    server = Server()
    cache = SharedCache(server)
    cache.set("a", 1)
    old = dict(generations._known)
    another_process()
    SharedCache(server).clear()
    generations._known.clear()
    generations._known.update(old)
    clock.now += 1
    assert cache.get("a") is None


def test_generation_is_read_once_a_second(become: Become, clock: Clock) -> None:
    """A get costs no question of its own, in any thread."""
    become()
    server = Server()
    SharedCache(server).get("a")
    before = server.reads
    for _ in range(100):
        SharedCache(server).get("a")
    assert server.reads == before
    clock.now += 1
    SharedCache(server).get("a")
    assert server.reads == before + 1


def test_mark_that_the_server_dropped_does_not_bring_old_entries_back(become: Become, clock: Clock) -> None:
    """A server that is full forgets keys; what was cleared stays so."""
    become()
    server = Server()
    cache = SharedCache(server)
    cache.set("a", "old")
    del server[OWNER]
    clock.now += 1
    assert cache.get("a") is None
    assert OWNER in server


def test_server_that_keeps_nothing_leaves_the_process_its_own_generation(become: Become, clock: Clock) -> None:
    """Where the client swallows errors the cache goes on without a mark, and finds its own entries."""
    become()
    server = Server()
    server.is_deaf = True
    cache = SharedCache(server)
    cache.set("a", 1)
    clock.now += 1
    assert cache.get("a") == 1


def test_test_run_marks_nothing_and_clears_all_the_same(become: Become, throw_away: object) -> None:
    """The throw-away site of a test run writes no owner key, and its clear() works."""
    become(ephemeral=throw_away)
    server = Server()
    cache = SharedCache(server)
    cache.set("a", 1)
    assert cache.get("a") == 1
    cache.clear()
    assert cache.get("a") is None
    assert OWNER not in server


class ConditionalCache(DictCache):
    """A backend that takes conditions and other clients (here: servers), as django-redis does."""

    def get(self, key: str, default: Any = None, version: Any = None, client: Any = None) -> Any:
        return (self.server if client is None else client).get(self.make_key(key, version), default)

    def set(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: Any = None,
        client: Any = None,
        xx: bool = False,
    ) -> bool:
        server, name = self.server if client is None else client, self.make_key(key, version)
        if xx and name not in server:
            return False
        server[name] = value
        return True

    def delete(self, key: str, version: Any = None, prefix: Any = None, client: Any = None) -> bool:
        server = self.server if client is None else client
        return server.pop(self.make_key(key, version), None) is not None


class SharedConditionalCache(SharedCache, ConditionalCache):
    def __init__(self, server: Server, prefix: str = PREFIX) -> None:
        GenerationCache.__init__(self, server, {"KEY_PREFIX": prefix, "KEY_FUNCTION": KEY_FUNCTION})
        self.place = (str(id(server)), prefix)


SESSION = f"{ENGINES[0]}abcdefghijklmnopqrstuvwxyz012345"
#: How a call names a version and a client: each by its name, or by its place.
WAYS = {
    "names": lambda version, client: ((), {"version": version, "client": client}),
    "places": lambda version, client: ((60, version, client), {}),
}


@pytest.fixture
def changing_key(settings: Any) -> Callable[[], None]:
    """Let the key be changed by the call: the earlier one goes on counting."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a" * 50, []

    def change() -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "b" * 50, ["a" * 50]

    return change


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("is_other", [False, True], ids=["own server", "other client"])
def test_session_that_is_written_has_one_name_in_its_version_and_place(
    become: Become, changing_key: Callable[[], None], way: Any, is_other: bool
) -> None:
    """The name of the earlier key goes where the entry was written, and stays in other versions and servers."""
    become()
    own, other = Server(), Server()
    cache = SharedConditionalCache(own)
    client = other if is_other else None
    for version in (1, 2):
        for place in (own, other):
            cache.set(SESSION, "old", version=version, client=place)
    changing_key()
    arguments, options = way(2, client)
    cache.set(SESSION, "new", *arguments, **options)
    found = {
        (version, place is other): cache.get(SESSION, version=version, client=place)
        for version in (1, 2)
        for place in (own, other)
    }
    written = (2, is_other)
    assert found == {place: "new" if place == written else "old" for place in found}
    sizes = [sum(ENGINES[0] in str(name) for name in place) for place in (own, other)]
    assert sizes == [2, 2], "one name of each version"


def test_session_that_was_not_written_is_still_there(become: Become, changing_key: Callable[[], None]) -> None:
    """A condition that was not met removes nothing."""
    become()
    cache = SharedConditionalCache(Server())
    cache.set(SESSION, "old")
    changing_key()
    assert cache.set(SESSION, "never", xx=True) is False
    assert cache.get(SESSION) == "old"


def test_entry_of_no_session_is_as_it_was_written(become: Become) -> None:
    """What is missing is the default that was given, and None without one; False and 0 are entries."""
    become()
    cache = SharedCache(Server())
    assert (cache.get("a"), cache.get("a", 5), cache.has_key("a"), cache.delete("a")) == (None, 5, False, False)
    for value in (False, 0, None, "", "text"):
        cache.set("a", value, 30, version=2)
        assert (cache.get("a", 5, version=2), cache.get("a"), cache.has_key("a", version=2)) == (value, None, True)
    assert (cache.delete("a"), cache.delete("a", version=2), cache.has_key("a", version=2)) == (False, True, False)


class Sessions:
    """A cache of sessions under the names that two earlier SECRET_KEYs and today's give to one session."""

    KEY = f"{ENGINES[0]}abcdefghijklmnopqrstuvwxyz012345"

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.server = Server()
        self.cache = SharedCache(self.server)
        self.cache.key_func = entry_name
        self.become("oldest")

    def become(self, key: str, *older: str) -> None:
        self.settings.SECRET_KEY, self.settings.SECRET_KEY_FALLBACKS = key * 10, [name * 10 for name in older]

    def entries(self) -> list[Any]:
        return [value for key, value in self.server.items() if key != OWNER]


@pytest.fixture
def sessions(become: Become, settings: Any) -> Sessions:
    become()
    return Sessions(settings)


def test_session_is_found_by_the_name_of_an_earlier_key(sessions: Sessions) -> None:
    """While a SECRET_KEY is changed visitors stay logged in; without the earlier one they do not."""
    sessions.cache.set(sessions.KEY, "cart")
    sessions.become("new", "old", "oldest")
    assert (sessions.cache.get(sessions.KEY), sessions.cache.has_key(sessions.KEY)) == ("cart", True)
    assert sessions.cache.get(f"{sessions.KEY}x", "none") == "none"
    sessions.become("new", "old")
    assert (sessions.cache.get(sessions.KEY, 5), sessions.cache.has_key(sessions.KEY)) == (5, False)


def test_session_that_is_saved_has_the_name_of_todays_key_alone(sessions: Sessions) -> None:
    """An earlier state of it must not come back when today's is gone."""
    sessions.cache.set(sessions.KEY, "cart")
    sessions.become("new", "old", "oldest")
    sessions.cache.set(sessions.KEY, "order")
    assert sessions.entries() == ["order"]
    assert sessions.cache.get(sessions.KEY) == "order"
    assert sessions.cache.delete(sessions.KEY) is True
    assert (sessions.entries(), sessions.cache.delete(sessions.KEY)) == ([], False)


def test_session_that_ends_has_no_name_left(sessions: Sessions) -> None:
    """It is deleted under whichever name it has, and the answer says whether there was one."""
    sessions.cache.set(sessions.KEY, "cart")
    sessions.become("new", "oldest", "old")
    assert sessions.cache.delete(sessions.KEY) is True
    assert sessions.entries() == []
    names = older_names(sessions.KEY)
    assert len(set(names)) == 2 and older_names("menu") == []


def test_todays_session_goes_before_an_earlier_one(sessions: Sessions) -> None:
    """Where both names are there, the one that was written last counts."""
    sessions.cache.set(sessions.KEY, "cart")
    sessions.become("new")
    sessions.cache.set(sessions.KEY, "order")
    sessions.become("new", "oldest")
    assert sessions.cache.get(sessions.KEY) == "order"


def test_cache_of_another_server_has_a_generation_of_its_own(become: Become) -> None:
    """What this process knows of a prefix on one server says nothing of the same prefix on another."""
    become()
    cache = GenerationCache.__new__(SharedCache)
    GenerationCache.__init__(cache, Server(a=1), {"KEY_PREFIX": PREFIX})
    assert cache.place == ("{'a': 1}", PREFIX)


def test_clear_is_known_to_the_process_for_a_second(become: Become, clock: Clock) -> None:
    """The process that clears asks no sooner again than another would, and has cleared what is not marked yet."""
    become()
    server = Server()
    cache = SharedCache(server)
    cache.clear()
    before = server.reads
    cache.get("a")
    clock.now += 0.999
    cache.get("a")
    assert server.reads == before
    clock.now += 0.001
    cache.get("a")
    assert server.reads == before + 1
    mark = json.loads(server[OWNER])
    assert set(mark) == {"platform", "environment", "uid", "generation"} and len(mark["generation"]) == 8


def test_mark_without_a_generation_has_a_blank_one(become: Become) -> None:
    """A mark of an earlier version is the site's, with entries of its own."""
    become()
    server = Server()
    cache = SharedCache(server)
    server[OWNER] = json.dumps({"uid": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978", "environment": "production"})
    assert cache.key_prefix == f"{PREFIX}:@"
