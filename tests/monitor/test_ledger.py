"""What is still to be told."""

from __future__ import annotations

from wagtail_multihost.monitor import ledger as module
from wagtail_multihost.monitor.ledger import MOST_CHANGES, MOST_WAITING, Ledger
from wagtail_multihost.nodeapi.probe_files import Observation
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, UP


def test_changes_are_told_in_order_and_forgotten_when_they_were() -> None:
    """A report that was lost is made again; what came meanwhile waits for the next one."""
    ledger = Ledger()
    first, second = Observation("a.example", DOWN), Observation("b.example", UP)
    ledger.note_change(first)
    news = ledger.make_news(5.0, 1.0)
    assert (list(news.changes.values()), news.covered_since) == ([first], 1.0)
    ledger.note_change(second)
    assert list(ledger.make_news(6.0, 1.0).changes.values()) == [first, second]
    ledger.forget(news)
    assert list(ledger.make_news(7.0, 1.0).changes.values()) == [second]


def test_report_says_one_thing_of_a_hostname() -> None:
    """A hostname that was down for a while is told in two reports; only the last one says what is looked at."""
    ledger = Ledger()
    for state in (DOWN, UP):
        ledger.note_change(Observation("a.example", state))
    news = ledger.make_news(5.0, 1.0)
    assert ([one.state for one in news.changes.values()], news.covered_since) == ([DOWN], None)
    ledger.forget(news)
    news = ledger.make_news(6.0, 1.0)
    assert ([one.state for one in news.changes.values()], news.covered_since) == ([UP], 1.0)


def test_database_may_be_away_for_as_long_as_it_likes() -> None:
    """What waits has a bound, and has the newest of each hostname in it."""
    ledger = Ledger()
    for number in range(MOST_CHANGES + 10):
        state = UP if number % 2 else DOWN
        ledger.note_change(Observation(f"{number % 50}.example", state, since=float(number)))
    assert len(ledger.changes) <= MOST_CHANGES
    newest = {one.hostname: one for one in ledger.changes.values()}
    assert newest["9.example"].since == max(number for number in range(MOST_CHANGES + 10) if number % 50 == 9)
    for number in range(MOST_WAITING * 2):
        ledger.count("a.example", 5)
        ledger.close_counts(float(number))
    assert len(ledger.batches) <= MOST_WAITING
    assert sum(batch.counts["a.example"][0] for batch in ledger.batches) == MOST_WAITING * 2


def test_changes_of_more_hostnames_than_fit_are_bounded_too() -> None:
    """The oldest go first."""
    ledger = Ledger()
    for number in range(MOST_CHANGES + 10):
        ledger.note_change(Observation(f"{number}.example"))
    assert len(ledger.changes) <= MOST_CHANGES
    assert f"{MOST_CHANGES + 9}.example" in {one.hostname for one in ledger.changes.values()}


def test_latencies_are_told_in_pieces() -> None:
    """Each batch has at most so many hostnames, and is forgotten by itself."""
    ledger = Ledger()
    for number in range(module.ROWS_AT_ONCE + 1):
        ledger.count(f"{number}.example", 30)
    ledger.close_counts(9.0)
    first = ledger.make_news(10.0, 1.0)
    assert ([len(batch.counts) for batch in first.batches], first.covered_since) == ([module.ROWS_AT_ONCE], None)
    ledger.forget(first)
    second = ledger.make_news(10.0, 1.0)
    assert ([len(batch.counts) for batch in second.batches], second.covered_since) == ([1], 1.0)
    (counts,) = second.batches[0].counts.values()
    assert (len(counts), counts[2], sum(counts)) == (BUCKETS, 1, 1)
    ledger.forget(second)
    assert not ledger.has_news
