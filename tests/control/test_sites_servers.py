"""
A change by the API is answered over HTTP through the front server, and no site but the changed one is started again:
agents, nginx, uWSGI, small sites and real Wagtails. ``python -m benchmarks.sites`` does the same with 20 agents and
1,000 sites.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.accounts import passable_folder
from tests.control.fleet import Fleet
from tests.control.front_fleet import Prober
from tests.control.sites_fleet import WHO, SitesFleet, Size, add_hostname, disable, host_of
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for

pytestmark = pytest.mark.servers

SIZE = Size(nodes=3, sites=30, served=3, wagtails=1)
CLOSED, CHANGED, WAGTAIL = "site0", "site1", "wagtail1-0"


def test_changes_by_the_api_are_answered_and_start_no_other_site(live_fleet: Fleet, postgres: Postgres) -> None:
    with passable_folder() as folder, ExitStack() as stack:
        sites = SitesFleet(folder, postgres, stack, SIZE)
        sites.start()
        front = sites.front
        hosts = {host: site for host, site in sites.hosts.items() if site != CLOSED}
        before = sites.moments()
        assert {site for _, site in before} >= {*hosts.values(), CLOSED}
        prober = Prober(front, hosts, path=WHO)
        with sites.control() as (control, token), prober.running():
            for site in (CHANGED, WAGTAIL):
                host = f"new.{site}.example.com"
                assert front.ask(host, WHO).status != 200
                add_hostname(control, token, site, host)
                wait_for(lambda: front.serves(host, site, path=WHO), f"{host} of {site}")  # noqa: B023
            # The pages of a Wagtail, with its database, by both of its names.
            for host in (host_of(WAGTAIL), f"new.{WAGTAIL}.example.com"):
                page = front.ask(host)
                assert page.status == 200
                assert "</html>" in page.body
            disable(control, token, CLOSED)
            wait_for(lambda: front.ask(host_of(CLOSED), WHO).status != 200, "the disabled site to be closed")
            for machine in sites.nodes.values():
                machine.wait_until_applied(live_fleet.revision)
            touched = {key for key in before if key[1] in (CHANGED, WAGTAIL, CLOSED)}
            wait_for(lambda: all(sites.moments().get(key) != before[key] for key in touched), "their processes")
            # It has several, which end one after the other.
            wait_for(lambda: all(site != CLOSED for _, site in sites.moments()), "those of the disabled site to end")
            seen = prober.count
            wait_for(lambda: prober.count > seen + len(hosts), "further requests")
        after = sites.moments()
        assert {key for key in before if after.get(key) != before[key]} == touched
        assert prober.failures == []
