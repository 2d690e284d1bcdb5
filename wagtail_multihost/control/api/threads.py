"""Work on the database for requests that wait: what waits must keep neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, connections
from django.http import HttpRequest

Found = TypeVar("Found")
#: All requests that wait share these. Each keeps its connection as long as Django's CONN_MAX_AGE says.
THREADS = 2
readers = ThreadPoolExecutor(THREADS, thread_name_prefix="multihost-events")


async def run_for(request: HttpRequest, work: Callable[[], Found]) -> Found:
    """Return what ``work`` returns. Under WSGI it runs in the request's own thread, as everything does there."""
    if not isinstance(request, ASGIRequest):
        return await sync_to_async(work)()
    return await asyncio.get_running_loop().run_in_executor(readers, partial(with_connection, work))


def with_connection(work: Callable[[], Found]) -> Found:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


async def release_request_thread() -> None:
    """
    End the thread that asgiref keeps until the request ends, with its connections, where middleware has made one; the
    next that needs one makes another (SyncToAsync.__call__ in https://github.com/django/asgiref).
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or context not in SyncToAsync.context_to_thread_executor:
        return
    await sync_to_async(connections.close_all)()
    SyncToAsync.context_to_thread_executor.pop(context).shutdown(wait=False)
