"""Waiting for the first report without blocking an event loop."""

from __future__ import annotations

import asyncio
import time

from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.endpoint import Endpoint

POLL_SECONDS = 0.01


async def wait_for_report(endpoint: Endpoint, request: HealthRequest) -> None:
    """Wait for the report that ``request`` needs, at most as long as the endpoint's budget."""
    is_awaited = endpoint.must_wait(request)
    # What is awaited begins with the first request, which may take its time: an answer before its end would wait for
    # the rest, and hold up the loop.
    deadline = time.monotonic() + endpoint.options.budget / 1000
    while is_awaited and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        is_awaited = endpoint.must_wait(request)
