"""What keeps a hostile site from using up the machine, in the files that uWSGI reads."""

from __future__ import annotations

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.uwsgi import UwsgiOptions


def test_a_limit_of_processes_takes_accounts_of_their_own() -> None:
    """Linux counts the processes of an account: with one account a site would use up its neighbours' share."""
    for platform, site in (
        (make_platform(uwsgi=UwsgiOptions(tasks=100)), make_site("aurora")),
        (make_platform(), make_site("aurora", uwsgi=(("tasks", 100),))),
    ):
        with pytest.raises(RenderError, match="or remove tasks"):
            texts("uwsgi", make_plan(site, platform=platform))


@pytest.mark.parametrize(("user", "limits"), [("site-{site}", ["limit-nproc = 256"]), ("sites", [])])
def test_a_site_with_an_account_has_a_limit_of_processes_where_nobody_states_one(user: str, limits: list[str]) -> None:
    """Code of a site cannot use up the machine's processes; one account for all has no such limit."""
    text = texts("uwsgi", make_plan(make_site("aurora"), platform=make_platform(user=user)))["uwsgi/aurora.ini"]
    assert [line for line in text.splitlines() if line.startswith("limit-nproc")] == limits


def test_a_site_has_its_own_limit_of_processes() -> None:
    """The platform's limit is each site's, and a site may state another."""
    platform = make_platform(user="site-{site}", uwsgi=UwsgiOptions(build="debian", tasks=100))
    emitted = texts(
        "uwsgi", make_plan(make_site("aurora", uwsgi=(("tasks", 7),)), make_site("borealis"), platform=platform)
    )
    assert "limit-nproc = 7" in emitted["uwsgi/aurora.ini"].splitlines()
    assert "limit-nproc = 100" in emitted["uwsgi/borealis.ini"].splitlines()
