"""What the caches of a site ask a Redis server that others use too: no transaction, no script, no key of another."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import ConnectionError, NoPermissionError, ResponseError, TimeoutError

from wagtail_multihost.backends import generations
from wagtail_multihost.backends.cache import BATCH, SiteRedisCache, remove_keys
from wagtail_multihost.backends.django_redis import PlainClient, SiteDjangoRedisCache, reverse_key
from wagtail_multihost.backends.generations import KnownGeneration
from wagtail_multihost.backends.session_names import ENGINES, HashedName

Become = Callable[..., None]
PREFIX = "aviary.aurora"
URL = "redis://127.0.0.1:9/0"


class Pipeline:
    """What redis-py collects and sends at once."""

    def __init__(self, server: Server) -> None:
        self.server, self.waiting = server, []  # type: ignore[var-annotated]

    def set(self, key: Any, value: Any, **options: Any) -> None:
        self.waiting.append(("set", str(key), value, options))

    def delete(self, key: Any) -> None:
        self.waiting.append(("delete", str(key)))

    def execute(self) -> None:
        self.server.done += self.waiting


class Server:
    """A client that notes what is asked of it."""

    def __init__(self, *keys: str, error: Exception | None = None) -> None:
        self.keys, self.error = list(keys), error
        self.done: list[tuple[Any, ...]] = []
        self.transactions: list[bool] = []

    def pipeline(self, transaction: bool = True) -> Pipeline:
        self.transactions.append(transaction)
        return Pipeline(self)

    def scan_iter(self, **options: Any) -> Iterator[str]:
        self.done.append(("scan", options))
        if self.error:
            raise self.error
        yield from self.keys

    def unlink(self, *keys: str) -> None:
        self.done.append(("unlink", *keys))

    def exists(self, key: str) -> bool:
        return key in self.keys

    def incrby(self, key: str, delta: int) -> int:
        self.done.append(("incrby", key, delta))
        return 40 + delta

    def get(self, key: str) -> None:
        self.done.append(("get", key))

    def dbsize(self) -> int:
        return 7


class Client:
    """django-redis's client, or Django's, of one server; it notes for which of them it was asked."""

    def __init__(self, server: Server) -> None:
        self.server, self.asked = server, []  # type: ignore[var-annotated]

    def get_client(self, key: Any = None, *, write: bool = False) -> Server:
        self.asked.append((key, write))
        return self.server


@pytest.fixture(autouse=True)
def of_a_site(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_known", {})
    become()


def test_entries_are_written_at_once_without_a_transaction() -> None:
    """Each has its own time, one with none is forgotten, and the server goes on serving others in between."""
    cache = SiteRedisCache(URL, {"KEY_PREFIX": PREFIX})
    server = Server()
    cache.__dict__["_cache"] = own = cache._class([URL])
    own.get_client = lambda key, write=False: {True: server}[write and key is None]
    own.set_many({"a": 1, "b": "text"}, 30)
    own.set_many({"c": 1}, 0)
    own.set_many({"d": 1}, None)
    own.set_many({"e": 1}, 1)
    assert server.transactions == [False] * 4
    written = [(key, options) for _, key, _, options in (entry for entry in server.done if entry[0] == "set")]
    assert written == [("a", {"ex": 30}), ("b", {"ex": 30}), ("d", {"ex": None}), ("e", {"ex": 1})]
    assert [entry for entry in server.done if entry[0] != "set"] == [("delete", "c")]
    assert [entry[2] for entry in server.done[:2]] == [1, pickle.dumps("text", pickle.HIGHEST_PROTOCOL)]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH])
def test_entries_are_removed_in_batches(count: int) -> None:
    """However many there are, each is removed once, and no call has none or more than a batch."""
    server = Server(*map(str, range(count)))
    remove_keys(server, PREFIX)
    (scanned, *removed) = server.done
    assert scanned == ("scan", {"match": f"{PREFIX}:@*", "count": BATCH})
    assert [key for _, *keys in removed for key in keys] == server.keys
    assert all(1 <= len(keys) <= BATCH for _, *keys in removed)
    assert len(removed) == -(-count // BATCH)


def test_user_who_may_not_list_keys_removes_none() -> None:
    """The entries expire; any other answer of the server is told."""
    server = Server(error=NoPermissionError("scan"))
    remove_keys(server, PREFIX)
    assert [word for word, *_ in server.done] == ["scan"]
    with pytest.raises(ResponseError):
        remove_keys(Server(error=ResponseError("no")), PREFIX)


INCREASE = "local exists = redis.call('EXISTS', KEYS[1])"
CREATE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.mark.parametrize(
    ("script", "key", "found"), [(INCREASE, "a", 42), (INCREASE, "b", None), (CREATE, "a", 42), (CREATE, "b", 42)]
)
def test_counter_is_counted_in_steps(script: str, key: str, found: int | None) -> None:
    """The script is not run: a missing counter is made where the script would make it, and left where it would not."""
    server = Server("a")
    assert PlainClient(server).eval(script, 1, key, 2) == found
    assert server.done == ([] if found is None else [("incrby", key, 2)])


def test_client_is_the_servers_but_for_transactions() -> None:
    """All else that is asked of it goes on."""
    server = Server()
    client = PlainClient(server)
    assert client.dbsize() == 7
    assert isinstance(client.pipeline(), Pipeline)
    assert server.transactions == [False]


class Calls:
    """django-redis's client, which notes how the cache has called it."""

    def __init__(self, server: Server) -> None:
        self.server, self.calls = server, []  # type: ignore[var-annotated]

    def get_client(self, *, write: bool = False) -> Server:
        assert write, "A replica has no new entries."
        return self.server

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> str:
            self.calls.append((name, arguments, options))
            return f"{name} done"

        if name.startswith("_") or name == "get_server":
            raise AttributeError(name)
        return call


class Spread(Calls):
    """A client that spreads keys over several servers."""

    def get_server(self, key: str) -> tuple[str, str]:
        return "server of", key


def django_redis(client: Any) -> SiteDjangoRedisCache:
    cache = SiteDjangoRedisCache(URL, {"KEY_PREFIX": PREFIX})
    cache._client = client
    return cache


CALLS: list[tuple[str, tuple[Any, ...]]] = [("set_many", ({"a": 1}, 30)), ("incr", ("a", 2)), ("decr", ("a", 2))]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_calls_that_would_run_scripts_get_a_plain_client(name: str, arguments: tuple[Any, ...]) -> None:
    """django-redis counts and writes with it; arguments, options and what comes back are the caller's."""
    client = Calls(server := Server())
    assert getattr(django_redis(client), name)(*arguments, version=3) == f"{name} done"
    ((called, given, options),) = client.calls
    assert (called, given, options["version"]) == (name, arguments, 3)
    assert isinstance(options["client"], PlainClient) and options["client"].client is server


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_client_of_the_caller_or_of_several_servers_is_kept(name: str, arguments: tuple[Any, ...]) -> None:
    """Who names a client has it used; who spreads keys has none that could be named."""
    client = Calls(Server())
    getattr(django_redis(client), name)(*arguments, client="own")
    assert client.calls == [(name, arguments, {"client": "own"})]
    getattr(django_redis(client), name)(*arguments, client=None)
    assert isinstance(client.calls[1][2]["client"], PlainClient)
    spread = Spread(Server())
    getattr(django_redis(spread), name)(*arguments)
    assert spread.calls == [(name, arguments, {})]


def test_owner_of_several_servers_is_on_its_own() -> None:
    """The server of the mark's key is asked for the mark; the keys of all of them are not listed."""
    cache = django_redis(Spread(Server()))
    assert cache.primary() == ("server of", f"{PREFIX}:owner")
    assert cache.remove_entries() is None  # type: ignore[func-returns-value]
    one = django_redis(Calls(server := Server("x")))
    assert one.primary() is server
    one.remove_entries()
    assert server.done == [("scan", {"match": f"{PREFIX}:@*", "count": BATCH}), ("unlink", "x")]


@pytest.mark.parametrize("error", [ConnectionError("down"), TimeoutError("down"), OSError("down")])
def test_server_that_is_lost_is_what_ignore_exceptions_is_for(error: Exception) -> None:
    """django-redis's own exception is raised, which the option takes back; then clear() does nothing."""

    def lost() -> Any:
        raise error

    for ignores in (False, True):
        cache = django_redis(Calls(Server()))
        cache._ignore_exceptions = ignores
        cache.read_owner = lost  # type: ignore[method-assign]
        with pytest.raises(ConnectionInterrupted) as caught:
            cache.current_generation(None)
        assert caught.value.__cause__ is error
        if ignores:
            assert cache.clear() is None  # type: ignore[func-returns-value]
        else:
            with pytest.raises(ConnectionError if isinstance(error, ConnectionError) else type(error)):
                cache.clear()


def test_generation_of_a_server_that_answers_is_its_own() -> None:
    """What the process knew already is kept where the server keeps nothing."""
    cache = django_redis(Calls(Server()))
    cache.read_owner = lambda: None  # type: ignore[method-assign]
    cache.add_owner = lambda value: None  # type: ignore[method-assign]
    assert cache.current_generation(KnownGeneration("kept", 0)) == "kept"


SESSION = f"{ENGINES[0]}abc"


@pytest.mark.parametrize(
    ("key", "name", "kind"),
    [
        (f"{PREFIX}:@1:2:menu", "menu", str),
        (f"{PREFIX}:@1:2:a:b:c", "a:b:c", str),
        (f"{PREFIX}:@1:2:{SESSION}", SESSION, HashedName),
    ],
)
def test_name_is_what_the_code_gave(key: str, name: str, kind: type) -> None:
    """A name may have colons; that of a session's entry reaches the entry as it is."""
    assert (reverse_key(key), type(reverse_key(key))) == (name, kind)


def test_project_may_state_how_names_are_read() -> None:
    """The package's function is the default."""
    stated = {"KEY_PREFIX": PREFIX, "REVERSE_KEY_FUNCTION": "django_redis.util.default_reverse_key"}
    assert SiteDjangoRedisCache(URL, stated)._params["REVERSE_KEY_FUNCTION"] == stated["REVERSE_KEY_FUNCTION"]
    own = SiteDjangoRedisCache(URL, {"KEY_PREFIX": PREFIX})._params["REVERSE_KEY_FUNCTION"]
    assert own == "wagtail_multihost.backends.django_redis.reverse_key"
