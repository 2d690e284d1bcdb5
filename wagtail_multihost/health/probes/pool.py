"""The pool that serves a process's requests, where psycopg's is in use."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from wagtail_multihost.health.probe import Outcome, failed, passed, warned
from wagtail_multihost.health.probes.connection import unopened_connection
from wagtail_multihost.health.probes.deadline import hang_up_after

#: Of each pool, how many requests it had served when it was first found to serve none, and when that was.
_unserved: WeakKeyDictionary[Any, tuple[int, float]] = WeakKeyDictionary()


def serving_pool(alias: str) -> Any:
    """Return the process's pool of an alias, None where there is none. Django makes it for the first who asks."""
    return getattr(unopened_connection(alias), "pool", None)


def ask_pool(pool: Any, seconds: float) -> Outcome:
    """
    Take a connection of the pool, ask it something, and give it back. A broken one is replaced by the pool as it would
    be for a request, so another is taken.
    """
    deadline = time.monotonic() + seconds
    served, is_broken = requests_served(pool), False
    while (left := deadline - time.monotonic()) > 0 and (driver := take_connection(pool, left)) is not None:
        if answers_query(pool, driver, left):
            _unserved.pop(pool, None)
            return passed()
        is_broken = True
    return failed("pool_unusable") if is_broken else judge_unserved(pool, served)


def take_connection(pool: Any, seconds: float) -> Any:
    from psycopg import OperationalError

    with suppress(OperationalError):  # those of the pool derive from it
        pool.open()
        return pool.getconn(timeout=seconds)
    return None


def answers_query(pool: Any, driver: Any, seconds: float) -> bool:
    from psycopg import Error

    try:
        with hang_up_after(seconds, lambda: driver):
            driver.execute("SELECT 1")
            if not driver.autocommit:
                driver.rollback()
            return True
    except Error:
        return False
    finally:
        pool.putconn(driver)


def judge_unserved(pool: Any, served: int) -> Outcome:
    """
    Return what it means that the pool has given no connection. A full one that serves others meanwhile, or has served
    nobody for less time than a request waits, is busy.
    """
    stats = pool.get_stats()
    is_full = stats["pool_size"] >= stats["pool_max"] and not stats["pool_available"]
    if not is_full:
        return failed("pool_unusable")
    now, after = time.monotonic(), requests_served(pool)
    known, since = _unserved.get(pool, (after, now))
    if after != served or after != known:
        since = now
    _unserved[pool] = (after, since)
    return failed("pool_unusable") if now - since >= pool.timeout else warned("pool_exhausted")


def requests_served(pool: Any) -> int:
    """
    Return a number that changes as soon as the pool gives somebody a connection, and not by who waits or gives up:
    those stay in psycopg's queue until a connection comes back. Of a queue with a limit, who is turned away does not
    count.
    """
    stats = pool.get_stats()
    return int(stats.get("requests_queued" if pool.max_waiting else "requests_num", 0) - stats["requests_waiting"])
