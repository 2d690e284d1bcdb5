"""A front server's agent, with the landed transaction: what it applies, and what it leaves as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase
from wagtail_multihost.emitters import Emitter, emitters
from wagtail_multihost.emitters.apply import ApplyResult
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.exceptions import ApplyError, ConfigurationError, EmitError
from wagtail_multihost.node import applying
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import Known, Merged
from wagtail_multihost.nodeapi.node_states import ACTIVE, CERTIFICATE_MISSING
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.release import own_release, release_text

NODE = {"id": "web1", "address": "10.0.0.1:80", "state": ACTIVE, "holds_all": True}


class Front:
    """A front server whose nginx takes every file but those that name a ``poison``; no other program is run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
        self.folder = folder
        (folder / "release.json").write_text(release_text(own_release(make_codebase())))
        (folder / "etc").mkdir()
        self.poison = "poison"
        # nginx's own test is of test_fronts_servers.py: what is tested here is what becomes of its answer.
        monkeypatch.setattr(applying, "apply", self.apply)
        self.plan: Plan | None = None
        self.applies = 0
        options = AgentOptions(
            registry="postgres:///?service=control",
            node="front1",
            targets=targets or ("nginx",),
            output=folder / "etc",
            release=folder / "release.json",
        )
        self.server = FrontServer(options, options.registry, {})
        self.file = NodeFile(folder / "node.toml", {"data": str(folder)}, {})

    def apply(self, request: Any) -> ApplyResult:
        plan = request.load()
        texts = [file.text for emitter in request.emitters for file in emitter.emit(plan)]
        if any(self.poison in text for text in texts):
            raise ApplyError("nginx does not accept it.")
        self.plan, self.applies = plan, self.applies + 1

        return ApplyResult(changed=("nginx/nginx.conf",))

    def read(self, *nodes: Mapping[str, Any], **sites: Mapping[str, Any]) -> Merged:
        known = Known(
            "one",
            1,
            0,
            {"id": "front1", "nodes": list(nodes)},
            {"name": "aviary", "nginx": {"fronts": ["10.0.0.9"]}},
            {site: {"uid": "", "record": record, "nodes": []} for site, record in sites.items()},
        )
        return Merged(known, frozenset(sites), frozenset())

    @property
    def served(self) -> list[str]:
        assert self.plan is not None
        return [site.id for site in self.plan.sites]


@pytest.fixture(name="front")
def _front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(tmp_path, monkeypatch)


def site(host: str, **record: Any) -> dict[str, Any]:
    return {"hostnames": [host], **record}


def test_front_server_without_a_node_stays_as_it_is(front: Front) -> None:
    """nginx would else be that of a machine with sites."""
    with pytest.raises(ConfigurationError, match="No node is active"):
        front.server.apply(front.read(aurora=site("a.example.org")), front.file)
    assert front.plan is None


def test_front_server_applies_only_what_has_changed(front: Front) -> None:
    read = front.read(NODE, aurora=site("a.example.org"))
    front.server.apply(read, front.file)
    assert front.plan is not None and front.plan.platform.nodes == (("web1", "10.0.0.1:80"),)
    same = read._replace(touched=frozenset())
    assert front.server.apply(same, front.file).files == 0
    assert front.applies == 1
    more = {**NODE, "id": "web2", "address": "10.0.0.2:80"}
    grown = read.known._replace(node={"id": "front1", "nodes": [NODE, more]})
    front.server.apply(same._replace(known=grown), front.file)
    assert front.plan.serving == {"aurora": ("web1", "web2")}
    # Sites purge their kept pages from their nodes.
    assert {"10.0.0.1", "10.0.0.2"} <= set(front.plan.platform.options[0].purgers)


def test_certificates_that_come_and_go_are_noticed(front: Front) -> None:
    paths = {"certificate": f"{front.folder}/{{hostname}}", "key": f"{front.folder}/{{hostname}}"}
    file = front.file._replace(platform={**front.file.platform, "tls": paths})
    read = front.read(NODE, aurora=site("a.example.org"))
    assert "a.example.org" in front.server.apply(read, file).conditions[CERTIFICATE_MISSING]
    same = read._replace(touched=frozenset())
    (front.folder / "a.example.org").write_text("a file")
    assert not front.server.apply(same, file).conditions[CERTIFICATE_MISSING]
    assert front.plan is not None and front.plan.sites[0].has_tls("a.example.org")
    (front.folder / "a.example.org").unlink()
    assert front.server.apply(same, file).conditions[CERTIFICATE_MISSING]


def test_site_that_cannot_be_rendered_hurts_no_other(front: Front) -> None:
    """Pages that are kept for longer than URLs in them are valid are refused when files are made."""
    broken = site("b.example.org", nginx={"cache": 4000}, storage={"backend": "s3", "querystring_expire": 60})
    done = front.server.apply(front.read(NODE, aurora=site("a.example.org"), borealis=broken), front.file)
    assert list(done.refused) == ["borealis"]
    assert "querystring_expire" in done.refused["borealis"]
    assert front.served == ["aurora"]


def test_site_that_nginx_refuses_keeps_what_it_had(front: Front) -> None:
    """Within what its record says now; other sites and nodes are followed all the same."""
    sites = {"aurora": site("a.example.org"), "borealis": site("b.example.org")}
    front.server.apply(front.read(NODE, **sites), front.file)
    sites |= {"aurora": site("a.example.org", aliases=["new.example.org"])}
    sites |= {"borealis": site("b.example.org", aliases=["poison.example.org"])}
    done = front.server.apply(front.read(NODE, **sites), front.file)
    assert list(done.refused) == ["borealis"]
    assert front.plan is not None
    assert [one.hosts for one in front.plan.sites] == [("a.example.org", "new.example.org"), ("b.example.org",)]
    other = {**NODE, "id": "web2", "address": "10.0.0.2:80"}
    done = front.server.apply(front.read(other, **sites), front.file)
    assert list(done.refused) == ["borealis"]
    assert front.plan.serving == {"aurora": ("web2",), "borealis": ("web2",)}
    sites |= {"borealis": site("poison.example.org")}
    front.server.apply(front.read(other, **sites), front.file)
    assert front.served == ["aurora"]  # a hostname that was taken from a site is not served by what it had before


def test_one_of_many_sites_that_nginx_refuses_is_found(front: Front) -> None:
    names = [f"s{number}" for number in range(40)]
    front.server.apply(front.read(NODE, aurora=site("a.example.org")), front.file)
    sites = {name: site(f"{'poison' if name == 's23' else name}.example.org") for name in names}
    done = front.server.apply(front.read(NODE, aurora=site("a.example.org"), **sites), front.file)
    assert list(done.refused) == ["s23"]
    assert front.served == sorted({"aurora", *names} - {"s23"})
    assert front.applies < 20


def test_refused_start_leaves_everything_as_it_is(front: Front) -> None:
    """What was in use before the agent started is not known: nothing is taken away to try."""
    sites = {"aurora": site("a.example.org"), "borealis": site("poison.example.org")}
    with pytest.raises(ApplyError):
        front.server.apply(front.read(NODE, **sites), front.file)
    assert front.plan is None


def test_site_that_no_node_serves_is_named(front: Front) -> None:
    placed = {**NODE, "holds_all": False}
    sites = {"aurora": site("a.example.org"), "borealis": site("b.example.org", enabled=False)}
    done = front.server.apply(front.read(placed, **sites), front.file)
    assert list(done.refused) == ["aurora"]
    assert front.plan is not None and front.plan.serving is not None and not front.plan.serving["aurora"]


@pytest.mark.parametrize("target", ["uwsgi", "systemd", "apache"])
def test_front_server_runs_no_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    front = Front(tmp_path, monkeypatch, "nginx", target)
    with pytest.raises(EmitError, match=rf"agent\.targets.*{target}"):
        front.server.apply(front.read(NODE, aurora=site("a.example.org")), front.file)


def test_known_targets_are_taken(front: Front) -> None:
    found: tuple[Emitter, ...] = front.server.targets
    assert found == (emitters()["nginx"],)
