"""Hostile values in the options of content and of nodes: what nginx's grammar reads is what was stated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import BUCKET, make_plan, make_platform, make_site, written
from tests.emitters.strategies import hostnames, paths
from tests.emitters.test_golden_content import CERTIFICATES, NODES
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions

pytestmark = pytest.mark.servers

names = ("cache_path", "authorities", *CERTIFICATES)
networks = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def directives(block: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for item in block:
        # crossplane leaves a doubled backslash doubled.
        yield item["directive"], [argument.replace("\\\\", "\\") for argument in item["args"]]
        yield from directives(item.get("block", []))


def parsed(plan: Plan) -> list[tuple[str, list[str]]]:
    """Return every directive of the plan's files, as crossplane reads them."""
    import crossplane

    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder = written("nginx", replace(plan, directory=Path(name)))
        mime_types = Path(name, "mime.types")
        mime_types.write_text("")
        payload = crossplane.parse(str(folder / "nginx/nginx.conf"), combine=True, comments=False, ignore=("include",))
        files = [
            crossplane.parse(str(path), combine=False, single=True, check_ctx=False, check_args=False, comments=False)
            for path in sorted((folder / "nginx").rglob("*.conf"))
        ]
    assert payload["config"]
    assert {file["status"] for file in files} == {"ok"}
    return [pair for file in files for config in file["config"] for pair in directives(config["parsed"])]


def arguments(found: list[tuple[str, list[str]]], directive: str) -> list[str]:
    return [" ".join(words) for name, words in found if name == directive]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.fixed_dictionaries({name: paths().map(Path) for name in names}),
    fronts=st.lists(networks, min_size=1, max_size=3, unique=True),
    purgers=st.lists(networks, max_size=3, unique=True),
    domain=hostnames,
)
def test_hostile_values_are_read_as_they_were_stated(
    values: dict[str, Path], fronts: list[str], purgers: list[str], domain: str
) -> None:
    """Paths, networks and domains of any accepted kind are one argument each, and add no directive."""
    options = NginxOptions(
        cache=5, bucket_media="proxy", resolvers=("127.0.0.1",), fronts=tuple(fronts), purgers=tuple(purgers), **values
    )
    site = make_site("aurora", storage=replace(BUCKET, domain=domain))
    one, front, node = (
        parsed(make_plan(site, node=node, platform=make_platform(nodes=nodes, nginx=options)))
        for node, nodes in (("", ()), ("", NODES), ("app-1", NODES))
    )
    assert arguments(one, "proxy_ssl_trusted_certificate") == [str(values["authorities"])]
    kept = [words[0] for name, words in one if name.endswith("_cache_path")]
    assert kept == [f"{values['cache_path']}-files", f"{values['cache_path']}-pages"]
    assert ("aurora", [domain]) in one
    assert [(name, ["1"]) in one for name in purgers] == [True] * len(purgers)
    assert arguments(front, "proxy_ssl_certificate") == [str(values["front_certificate"])]
    assert arguments(front, "proxy_ssl_certificate_key") == [str(values["front_key"])]
    assert arguments(front, "proxy_ssl_trusted_certificate") == [str(values["node_authority"])]
    assert arguments(node, "ssl_certificate") == [str(values["node_certificate"])]
    assert arguments(node, "ssl_certificate_key") == [str(values["node_key"])]
    assert arguments(node, "ssl_client_certificate") == [str(values["front_authority"])]
    assert [(name, ["1"]) in node for name in fronts] == [True] * len(fronts)
    plain = replace(options, **{name: Path(f"/etc/{name}") for name in names})  # type: ignore[arg-type]
    same = parsed(make_plan(site, node="app-1", platform=make_platform(nodes=NODES, nginx=plain)))
    assert [name for name, _ in same] == [name for name, _ in node]
