"""The errors of this package."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from wagtail_multihost import exceptions
from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem


def test_error_prints_every_problem_on_a_line() -> None:
    """The report has a head with the count, and one line per problem with its key."""
    error = ConfigurationError([Problem("a.b", "It is blank."), Problem("", "It is missing.", "aurora")])
    assert str(error) == "The configuration has 2 problems:\n  - a.b: It is blank.\n  - It is missing."
    assert error.problems[1].site == "aurora"


def test_error_with_one_problem_says_so() -> None:
    """The head of a report with one problem is in the singular."""
    error = ConfigurationError.because("It is blank.", where="KEY", site="aurora")
    assert str(error) == "The configuration has 1 problem:\n  - KEY: It is blank."
    assert error.problems == (Problem("KEY", "It is blank.", "aurora"),)


def test_errors_are_never_the_class_that_django_swallows() -> None:
    """No error of ours is an ImproperlyConfigured, and each is a MultihostError."""
    ours = [value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(ours) >= 5
    assert all(issubclass(error, MultihostError) for error in ours)
    assert not any(issubclass(error, ImproperlyConfigured) for error in ours)
