"""All that a monitor knows, with a clock of the test's."""

from __future__ import annotations

from uuid import UUID

from wagtail_multihost.monitor.judging import Answer, Judgement
from wagtail_multihost.monitor.watching import Watch
from wagtail_multihost.nodeapi.probe_files import MOST_BATCHES, Target
from wagtail_multihost.nodeapi.probe_states import DOWN, UNKNOWN, UP

PERIOD = 60.0
GOOD, BAD = Judgement(UP, "", 200), Judgement(DOWN, "timeout")
TARGETS = [Target(f"{name}.example", name, UUID(int=number)) for number, name in enumerate("ab", 1)]


def watch(now: float = 1000.0) -> Watch:
    one = Watch("outside", PERIOD)
    one.replace_targets(TARGETS, now)
    return one


def look(one: Watch, now: float, judgement: Judgement = GOOD) -> None:
    for target in one.targets.values():
        one.note(target, judgement, Answer(200, milliseconds=30), now, now)
    one.look_after(now)


def test_all_is_looked_at_once_something_counts_of_each() -> None:
    """Not from the start, and not before the slowest of them."""
    one = watch()
    one.look_after(1000.0)
    assert one.covered_since is None
    one.note(TARGETS[0], GOOD, Answer(200), 1010.0, 1010.0)
    one.look_after(1010.0)
    assert one.covered_since is None
    look(one, 1020.0)
    assert one.covered_since == 1020.0
    look(one, 1080.0)
    assert one.covered_since == 1020.0


def test_time_that_the_machine_slept_is_not_one_in_which_all_was_looked_at() -> None:
    """What counted before counts on, and nothing is called unknown for it."""
    one = watch()
    look(one, 1000.0)
    one.look_after(1000.0 + 3600)
    assert one.covered_since == 4600.0
    assert {standing.observation.state for standing in one.standings.values()} == {UP}


def test_hostname_that_is_not_looked_at_becomes_unknown() -> None:
    """Alone, a period after the last look; and it does not keep all others from being looked at."""
    one = watch()
    look(one, 1000.0)
    for now in range(1002, 1200, 2):
        one.note(TARGETS[0], GOOD, Answer(200), float(now), float(now))
        one.look_after(float(now))
    assert one.standings["b.example"].observation.state == UNKNOWN
    assert one.standings["b.example"].observation.since == 1060.0
    assert one.standings["a.example"].observation.state == UP
    assert [change.state for change in one.ledger.changes.values()].count(UNKNOWN) == 1


def test_hostname_that_nobody_ever_reaches_does_not_hold_up_the_rest() -> None:
    """After two and a half periods it is unknown, and all others are looked at."""
    one = watch()
    for now in range(1000, 1200, 2):
        one.note(TARGETS[0], GOOD, Answer(200), float(now), float(now))
        one.look_after(float(now))
    assert one.covered_since is not None and one.covered_since > 1150


def test_answer_about_a_target_that_changed_meanwhile_is_dropped() -> None:
    """It was judged by what the target was; a removed one is forgotten with all that counted of it."""
    one = watch()
    look(one, 1000.0)
    changed = TARGETS[0]._replace(uid=UUID(int=9))
    one.replace_targets([changed], 1010.0)
    assert one.note(TARGETS[0], BAD, Answer(), 1009.0, 1011.0) is None
    assert one.note(TARGETS[1], BAD, Answer(), 1009.0, 1011.0) is None
    assert one.standings.keys() == {"a.example"}
    one.ledger.close_counts(1012.0)
    assert [*one.ledger.batches[-1].counts] == ["a.example"]
    assert one.schedule.next_due(1010.0) <= 5


def test_second_look_is_taken_after_a_bad_one() -> None:
    """Within seconds, and not for one that is known to be bad."""
    one = watch()
    look(one, 1000.0)
    one.schedule.take_due(1050.0)
    one.note(TARGETS[0], BAD, Answer(), 1050.0, 1050.0)
    assert one.schedule.next_due(1050.0) <= 10.5


def test_all_that_counts_is_told_again_and_again_to_who_reads_a_file() -> None:
    """With the newest latencies; changes alone go to the database."""
    one = watch()
    look(one, 1000.0)
    one.ledger.close_counts(1001.0)
    news = one.make_news(1001.0, has_all=True)
    assert {found.hostname for found in news.observations} == {"a.example", "b.example"}
    for number in range(MOST_BATCHES + 3):
        look(one, 1002.0 + number)
        one.ledger.close_counts(1002.0 + number)
        one.note_told(one.make_news(1003.0 + number, has_all=True), has_all=True)
    assert len(one.ledger.batches) == MOST_BATCHES
    assert not one.ledger.changes
    assert len(one.make_news(1100.0, has_all=True).observations) == 2


def test_everything_is_told_once_more_at_times() -> None:
    """But nothing that waits to be told anyway."""
    one = watch()
    look(one, 1000.0)
    assert len(one.ledger.changes) == 2
    one.tell_again()
    assert len(one.ledger.changes) == 2
    one.ledger.forget(one.make_news(1001.0, has_all=False))
    one.tell_again()
    assert [change.hostname for change in one.ledger.changes.values()] == ["a.example", "b.example"]


def test_only_good_answers_are_counted() -> None:
    """How long a failing site takes is no latency of it."""
    one = watch()
    look(one, 1000.0, BAD)
    assert one.ledger.counts == {}
