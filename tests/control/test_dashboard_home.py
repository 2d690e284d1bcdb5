"""The first page of the admin."""

from __future__ import annotations

from tests.control.browser import ControlSite
from tests.control.fleet import Fleet


def test_operator_signs_in(control_site: ControlSite, live_fleet: Fleet) -> None:
    control_site.sign_in(live_fleet.user("ada", operator=True))
    text = control_site.show("/admin/")
    assert control_site.path == "/admin/"
    assert "Control" in text
    assert control_site.violations() == []
