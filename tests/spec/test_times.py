"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from wagtail_multihost.spec.times import shown_text, shown_time

NOON = datetime(2026, 12, 1, 12, 50, 28, 999, UTC)


def test_time_is_shown_in_one_form_wherever_it_was_written() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=2)))
    assert shown_time(NOON) == shown_time(east) == "2026-12-01 12:50:28 UTC"
    assert shown_text(NOON.isoformat()) == shown_text(east.isoformat()) == "2026-12-01 12:50:28 UTC"


def test_text_that_is_no_time_stays() -> None:
    assert [shown_text(text) for text in ("soon", "2026-12-01T12:50:28")] == ["soon", "2026-12-01T12:50:28"]
