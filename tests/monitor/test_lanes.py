"""How many probes run at a time."""

from __future__ import annotations

from wagtail_multihost.monitor.lanes import Lanes


def test_site_with_many_hostnames_keeps_only_its_own_waiting() -> None:
    """Others are asked between them, and a site never has more probes than it may."""
    lanes = Lanes(most=10, most_of_site=2)
    for number in range(1000):
        lanes.add("evil", f"{number}.evil.example")
    for number in range(5):
        lanes.add(f"site{number}", f"site{number}.example")
    taken = lanes.take()
    assert sorted({site for site, _ in taken}) == ["evil", *(f"site{number}" for number in range(5))]
    assert sum(site == "evil" for site, _ in taken) == 2
    assert lanes.take() == []
    lanes.end(*next(entry for entry in taken if entry[0] == "evil"))
    assert [site for site, _ in lanes.take()] == ["evil"]


def test_there_are_never_more_than_the_bound_and_none_is_forgotten() -> None:
    """Whatever ends in whatever order."""
    lanes = Lanes(most=7, most_of_site=3)
    names = [(f"site{number % 4}", f"{number}.example") for number in range(100)]
    for site, name in names:
        assert lanes.add(site, name)
    running: list[tuple[str, str]] = []
    done = []
    while not lanes.is_empty:
        running += lanes.take()
        assert 0 < len(running) <= 7
        assert all(sum(site == one for one, _ in running) <= 3 for site, _ in running)
        done.append(running.pop(len(done) % len(running)))
        lanes.end(*done[-1])
    assert sorted(done) == sorted(names)
    assert lanes.waiting == {} and not lanes.running


def test_hostname_is_never_asked_twice_at_a_time() -> None:
    """Not while it waits, and not while its probe runs."""
    lanes = Lanes(most=2, most_of_site=2)
    assert lanes.add("a", "a.example")
    assert not lanes.add("a", "a.example")
    assert lanes.take() == [("a", "a.example")]
    assert not lanes.add("a", "a.example")
    lanes.end("a", "a.example")
    assert lanes.add("a", "a.example")
