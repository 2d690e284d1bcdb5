"""Changes of the runner, and folders that open what was closed, in systemd's units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.test_systemd import CASES
from wagtail_multihost.emitters import Stage, emitters
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.uwsgi import UwsgiOptions

INSIDE = {"sockets": Path("/run/multihost"), "snapshots": Path("/run/multihost/sites")}


def test_units_of_drop_ins_that_go_are_not_asked_for(tmp_path: Path) -> None:
    """Who leaves gunicorn, or stops publishing, has no template any more that systemd could verify instances of."""
    plan = CASES["own"]
    before = {PurePosixPath(path) for path in texts("systemd", plan)}
    changed = replace(plan, platform=replace(plan.platform, runner="uwsgi"), sites=(make_site("aurora"),))
    for path, text in texts("systemd", changed).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    gone = frozenset(before - {PurePosixPath(path) for path in texts("systemd", changed)})
    assert PurePosixPath("systemd/multihost@own.service.d/50-site.conf") in gone
    (verify,) = emitters()["systemd"].validate(Stage(changed, tmp_path, gone))
    assert not any("own" in word for word in verify.command)


@pytest.mark.parametrize("target", ["uwsgi", "systemd"])
@pytest.mark.parametrize("is_on_demand", ["all", "one"])
def test_open_sockets_are_not_where_sites_look_for_snapshots(target: str, is_on_demand: str) -> None:
    """
    uWSGI lets everybody connect to the socket of a site on demand, and whoever does can have it run code: its folder
    must not be one that every site's account enters.
    """
    uwsgi = UwsgiOptions(on_demand=is_on_demand == "all")
    own = (("on_demand", True),) if is_on_demand == "one" else ()
    sites = (make_site("aurora"), make_site("borealis", uwsgi=own))
    platform = make_platform(user="site-{site}", uwsgi=uwsgi, **INSIDE)
    with pytest.raises(RenderError, match="Name another folder in the platform's snapshots"):
        texts(target, make_plan(*sites, platform=platform))
    texts(target, make_plan(*sites, platform=replace(platform, snapshots=Path("/run/snapshots"))))
    texts(target, make_plan(make_site("aurora"), platform=replace(platform, options=())))
