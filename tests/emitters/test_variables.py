"""Variables of a site's processes, in vassals and units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.units import environment, read_unit
from wagtail_multihost.emitters.quoting import uwsgi_quote_variable
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.spec.systemd import SystemdOptions

#: What an operator may state, and what each grammar makes something else of if it is not quoted.
NASTY = {
    "V0": "50% off",
    "V1": "100%",
    "V2": "%20a%v%n%%i%%",
    "V3": "a $HOME ${HOME} $x $$",
    "V4": "\"double\" 'single'",
    "V5": "a;b#c",
    "V6": "#first",
    "V7": ";first",
    "V8": "x=y=z",
    "V9": "[uwsgi]",
    "V10": "back\\slash",
    "V11": "end\\",
    "V12": "é√𝄞 日本",
    "V13": "@x $ (y) % (z)",
    "V14": "a  b",
    "V15": "~!&|<>`{}{{x}}",
    "V16": "%i",
    "V17": "\\n\\x41",
    "V18": "a:b,c",
}
HOSTILE = " \"'\\%$;#[]={}()@:!-+|`~ixé√𝄞"


@pytest.mark.parametrize("value", ["a%(b)", "$(id)", "@(exec://id)", "a\nb", "a ", "a\t", "\u2028"])
def test_what_uwsgi_would_expand_is_refused(value: str) -> None:
    """By the quoting too, whoever made the spec."""
    with pytest.raises(RenderError):
        uwsgi_quote_variable(f"X={value}")


def test_vassal_has_each_variable_of_its_site_alone() -> None:
    """One line each, and no other site's."""
    plan = make_plan(make_site("aurora", env=(("NEW_RELIC", "50%"),)), make_site("borealis"))
    emitted = texts("uwsgi", plan)
    assert "\nenv = NEW_RELIC=50%%\n" in emitted["uwsgi/aurora.ini"]
    assert not [path for path, text in emitted.items() if "NEW_RELIC" in text and path != "uwsgi/aurora.ini"]


def test_units_that_run_the_sites_code_have_each_variable() -> None:
    """The service and what publishes its pages; a site without variables has no file for them."""
    platform = make_platform(runner="gunicorn", user="site-{site}", systemd=SystemdOptions(publish=30))
    plan = make_plan(make_site("aurora", env=(("NEW_RELIC", "50% of"),)), make_site("borealis"), platform=platform)
    found = {path: text for path, text in texts("systemd", plan).items() if "NEW_RELIC" in text}
    assert set(found) == {
        "systemd/multihost@aurora.service.d/50-site.conf",
        "systemd/multihost-publish@aurora.service.d/50-site.conf",
    }
    assert all('\nEnvironment="NEW_RELIC=50%% of"\n' in text for text in found.values())


@given(st.text(st.sampled_from(HOSTILE), min_size=1, max_size=30))
def test_unit_is_read_back(value: str) -> None:
    """Whatever the spec accepts is in the unit with its very characters."""
    try:
        site = make_site("aurora", env=(("X", value), ("Y", "z")))
    except ConfigurationError:
        return
    plan = make_plan(site, platform=make_platform(runner="gunicorn", user="site-{site}"))
    text = texts("systemd", plan)["systemd/multihost@aurora.service.d/50-site.conf"]
    assert environment(read_unit(text), "aurora") == {"X": value, "Y": "z"}
