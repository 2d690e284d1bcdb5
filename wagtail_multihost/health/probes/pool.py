"""The pool of psycopg that serves a process's requests, if it uses one."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from wagtail_multihost.health.probe import Outcome, failed, passed, warned
from wagtail_multihost.health.probes.connection import unopened_connection
from wagtail_multihost.health.probes.deadline import hang_up_after

#: How many requests each pool had served when it was first seen to stop serving, and when that was.
_unserved: WeakKeyDictionary[Any, tuple[int, float]] = WeakKeyDictionary()


def serving_pool(alias: str) -> Any:
    """Return the process's pool of an alias; None if it has none. Django creates it on first use."""
    return getattr(unopened_connection(alias), "pool", None)


def ask_pool(pool: Any, seconds: float) -> Outcome:
    """
    Take a connection from the pool, run a query, and give it back. The pool replaces a broken connection as it would
    for a request, so another one is taken.
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
    from psycopg import OperationalError  # an extra

    with suppress(OperationalError):  # the base class of the pool's errors
        pool.open()
        return pool.getconn(timeout=seconds)
    return None


def answers_query(pool: Any, driver: Any, seconds: float) -> bool:
    from psycopg import Error  # an extra

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
    Return the outcome for a pool that has given no connection. A full pool that meanwhile serves others, or has served
    no one for less time than a request waits, is only busy.
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
    Return a number that changes as soon as the pool hands out a connection, and not because requests wait or give up:
    those stay in psycopg's queue until a connection comes back. Requests that a full queue rejects do not count.
    """
    stats = pool.get_stats()
    return int(stats.get("requests_queued" if pool.max_waiting else "requests_num", 0) - stats["requests_waiting"])
