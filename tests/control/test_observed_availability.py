"""The status page with what monitors have really told, which is nothing here."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control import public_status
from wagtail_multihost.control.status_pages import show_status


def test_site_that_nobody_observes_is_shown_so(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_status, "_kept", {})
    show_status(OPERATOR, fleet.add("aurora"), shown=True)
    show_status(OPERATOR, None, shown=True)
    for path in ("/status/aurora/", "/status/"):
        answer = Client(headers={"host": "control.localhost"}).get(path)
        assert answer.status_code == 200
        assert "Not observed" in answer.content.decode()
