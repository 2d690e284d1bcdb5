"""Settings that a site may have of its own: what is said of the others, whatever value they have."""

from __future__ import annotations

import pytest

from wagtail_multihost.registry.keys import declared
from wagtail_multihost.spec.overrides import override_problems


@pytest.mark.parametrize("value", ["text", True, False])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("INSTALLED_APPS", "It changes the code or the migrations"),
        ("TEST_RUNNER", "It changes the code or the migrations"),
        ("DATABASES", "It is made from the site's key database"),
        ("TIME_ZONES", "Did you mean TIME_ZONE?"),
        ("XYZ", "Accepted: DATETIME_FORMAT, DATE_FORMAT"),
    ],
)
def test_other_setting_is_refused_by_its_name(name: str, words: str, value: str | bool) -> None:
    """What its value is does not matter: the sentence says why it cannot be a site's."""
    [problem] = override_problems([(name, value)])
    assert problem.where == f"settings.{name}"
    assert problem.message.startswith(f"The setting {name!r} cannot be set for one site. {words}")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WAGTAIL_I18N_ENABLED", "true", "It must be true or false"),
        ("TIME_ZONE", True, "It must be a string"),
        ("TIME_ZONE", "Nowhere", "is not known"),
    ],
)
def test_value_of_another_kind_is_refused(name: str, value: str | bool, words: str) -> None:
    """A switch takes no text, and text takes no switch."""
    [problem] = override_problems([(name, value)])
    assert words in problem.message
    assert list(override_problems([("WAGTAIL_I18N_ENABLED", False), ("TIME_ZONE", "UTC")])) == []


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("TIME_ZONE", "Django's setting, accepted when the time zone database has it."),
        ("WAGTAIL_SITE_NAME", "Wagtail's setting, accepted when it is"),
        ("WAGTAIL_I18N_ENABLED", "Wagtail's setting."),
        ("USE_THOUSAND_SEPARATOR", "Django's setting."),
    ],
)
def test_reference_says_whose_a_setting_is_and_what_it_accepts(name: str, meaning: str) -> None:
    """Its words are the parser's own."""
    [key] = [key for key in declared() if (key.table, key.name) == ("settings", name)]
    assert key.meaning.startswith(meaning)
