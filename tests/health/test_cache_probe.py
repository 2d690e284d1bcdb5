"""The probe of caches."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes import cache
from wagtail_multihost.health.probes.cache import CacheProbe

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
SECRET = "redis://user:hunter2@cache.internal"


class Recorder(LocMemCache):
    """Keeps what is done, and by which keys; ``faults`` are the methods that raise, ``lag`` the readings in vain."""

    events: list[tuple[str, str]] = []
    faults: dict[str, Exception] = {}
    lag = 0

    def note(self, event: str, key: str = "") -> None:
        Recorder.events.append((event, key))
        if event in Recorder.faults:
            raise Recorder.faults[event]

    def set(self, key: str, *arguments: Any, **options: Any) -> None:
        self.note("set", key)
        assert 0 < arguments[1] <= 60
        super().set(key, *arguments, **options)

    def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.note("get", key)
        Recorder.lag -= 1
        return None if Recorder.lag >= 0 else super().get(key, *arguments, **options)

    def delete(self, key: str, *arguments: Any, **options: Any) -> bool:
        self.note("delete", key)
        return super().delete(key, *arguments, **options)

    def close(self, **options: Any) -> None:
        self.note("close")


@pytest.fixture(autouse=True)
def recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "events", [])
    monkeypatch.setattr(Recorder, "faults", {})
    monkeypatch.setattr(Recorder, "lag", 0)
    monkeypatch.setattr(cache, "PAUSE", 0)


def configured(backend: str) -> Any:
    return override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": "probe-tests"}})


def recorded() -> Any:
    return configured(f"{__name__}.Recorder")


def measured(**options: Any) -> list[Any]:
    return list(CacheProbe(**options).measure())


def test_cache_that_keeps_what_it_is_given_passes() -> None:
    """A value goes there and back, and the key is gone afterwards."""
    with configured(LOCMEM):
        assert measured() == [passed()]
        assert not caches["default"]._cache


def test_cache_that_keeps_nothing_fails() -> None:
    """A dummy cache takes everything, and is not taken for one that works."""
    with configured("django.core.cache.backends.dummy.DummyCache"):
        assert measured() == [failed("value_lost")]


def test_cache_probe_has_another_key_each_time() -> None:
    """Probes that run at the same time do not remove each other's keys."""
    with recorded():
        measured()
        measured()
    keys = {key for event, key in Recorder.events if event == "set"}
    assert len(keys) == 2 and all(key.startswith("multihost-probe-") for key in keys)


def test_cache_probe_removes_its_key_where_reading_fails() -> None:
    """Whatever happens after the writing, the key is removed and the connection closed."""
    Recorder.faults["get"] = OSError(SECRET)
    with recorded():
        assert measured() == [failed("unreachable")]
    assert [event for event, _ in Recorder.events] == ["set", "get", "delete", "close"]
    assert len({key for _, key in Recorder.events if key}) == 1


def test_cache_probe_closes_what_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is away is not asked a second time, and the connection is closed."""
    Recorder.faults["set"] = OSError(SECRET)
    with recorded():
        assert measured() == [failed("unreachable")]
    assert [event for event, _ in Recorder.events] == ["set", "close"]
    assert SECRET in caplog.text


def test_cache_replica_that_is_a_moment_behind_passes() -> None:
    """A value that appears at the third reading was kept."""
    Recorder.lag = 2
    with recorded():
        assert measured() == [passed()]


def test_cache_replica_that_never_follows_fails() -> None:
    """Reading ends."""
    Recorder.lag = 1000
    with recorded():
        assert measured() == [failed("value_lost")]


def test_cache_of_another_site_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The mark of another site has a code of its own, and the log says whose it is."""
    Recorder.faults["set"] = IdentityError(SECRET)
    with recorded():
        assert measured() == [failed("foreign_cache")]
    assert SECRET in caplog.text


def test_cache_probe_leaves_the_cache_of_requests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread's own cache object is neither used nor closed."""
    with recorded():
        own = caches["default"]
        with monkeypatch.context() as patched:
            patched.setattr(own, "note", lambda *event: pytest.fail("The cache of requests was used."))
            measured()
        assert caches["default"] is own


def test_cache_probe_asks_for_its_alias() -> None:
    """An alias that works does not cover for one that does not."""
    stated = {
        "default": {"BACKEND": LOCMEM, "LOCATION": "probe-tests"},
        "other": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    }
    with override_settings(CACHES=stated):
        assert (measured(), measured(alias="other")) == ([passed()], [failed("value_lost")])
