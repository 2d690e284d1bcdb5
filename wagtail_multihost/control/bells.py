"""The bell that wakes those who carry out what people wish: runners of jobs, and the courier."""

from __future__ import annotations

from django.db import connection

from wagtail_multihost.nodeapi.jobs_v1 import CHANNEL


def ring() -> None:
    """Wake them, when the transaction is committed. The bell says nothing of the wish."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
