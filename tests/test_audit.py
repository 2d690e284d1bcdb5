"""What bandit finds is answered once, in one place, and answers are not kept for nothing."""

from __future__ import annotations

from tests.audit import Finding, answers, open_points

FOUND = Finding("B603", "wagtail_multihost/a.py", 7, "A call.")


def test_finding_without_an_answer_is_open() -> None:
    """A finding is open unless its test is answered in its file; the same in another file, or another there, is not."""
    assert [*open_points([FOUND], [("B603", "wagtail_multihost/a.py")])] == []
    elsewhere = [("B603", "wagtail_multihost/b.py"), ("B602", "wagtail_multihost/a.py")]
    assert "wagtail_multihost/a.py:7: B603 A call." in [*open_points([FOUND], elsewhere)]


def test_answer_without_a_finding_is_open() -> None:
    """What was answered and is not found any more is told, so that it does not answer for what comes later."""
    (line,) = open_points([], [("B603", "wagtail_multihost/a.py")])
    assert "B603 in wagtail_multihost/a.py" in line


def test_every_answer_has_a_reason() -> None:
    """Each answer names a test of bandit and a module of the package, and gives its reason in a sentence."""
    for (test, file), reason in answers().items():
        assert test.startswith("B"), test
        assert file.startswith("wagtail_multihost/"), file
        assert reason.endswith("."), reason
