"""
Case 10: a page that is kept for longer than the signed URLs of its images are valid. Such a configuration is refused or
cautioned; what is accepted is tried with nginx and an S3 server that looks at signatures.
"""

from __future__ import annotations

import contextlib
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from tests.backends.conftest import SECRET_KEY, process_of
from tests.emitters.conftest import BUCKET, DATA, make_codebase, make_plan, make_platform, make_site, texts
from tests.emitters.test_nginx_content_servers import AURORA, body, folder, local_plan, serving
from tests.servers.strict_s3 import running_strict_s3
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.emitters.planning import plan as planned
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

__all__ = ["folder", "process_of"]

SITES = """
[platform]
name = "rig"
secret_key = "a-platform-key-0123456789-0123456789-0123456789"
runner = "gunicorn"

[platform.nginx]
cache = 7200

[sites.aurora]
hostnames = ["aurora.example.org"]
storage = "s3://AKIDEXAMPLE:secret@site-1?region=eu-central-1%s"

[sites.borealis]
hostnames = ["borealis.example.org"]
"""
REDIS = CacheSpec(backend="redis", host="cache.internal")
#: How long a request may take, and nginx waits.
WAITED = 60


def plan_of(*sites: SiteSpec, cache: int = 0, **codebase: object) -> Plan:
    platform = make_platform(nginx=NginxOptions(cache=cache), origin="https://{hostname}")
    return make_plan(*sites, platform=platform, codebase=make_codebase(**codebase))


def bucket(**options: object) -> StorageSpec:
    values = {"backend": "s3", "bucket": BUCKET.bucket, "access_key": BUCKET.access_key}
    return StorageSpec(**{**values, "secret_key": BUCKET.secret_key, **options})


def refused(plan: Plan) -> str:
    with pytest.raises(EmitError) as caught:
        texts("nginx", plan)
    return str(caught.value)


def test_pages_that_outlive_addresses_are_refused(tmp_path: Path) -> None:
    """The site, the key as it was written, both times and what is accepted are said; local files do not matter."""
    path = tmp_path / "sites.toml"
    path.write_text(SITES % "")
    registry = open_registry(path, {})
    message = refused(planned(registry, registry.load(), make_codebase(), tmp_path))
    assert message.startswith("platform.nginx.cache: Pages of aurora are kept for 7200 seconds, but the URLs of images")
    assert "expire after 3600 seconds." in message and "querystring_expire" in message and "domain" in message
    assert "borealis" not in message and "secret" not in message


def test_front_server_is_the_one_that_keeps_pages() -> None:
    """Behind it a node keeps none, and is refused nothing; the front server waits a little longer for a node."""
    nginx = NginxOptions(cache=60, fronts=("10.0.0.4",))
    platform = make_platform(nginx=nginx, nodes=(("app-1", "10.0.0.5:8080"),))
    front = make_plan(make_site("aurora", cache=REDIS, storage=bucket(querystring_expire=120)), platform=platform)
    assert "at most 55," in refused(front)
    assert texts("nginx", replace(front, node="app-1"))


def test_pages_that_the_signature_outlives_are_accepted(tmp_path: Path) -> None:
    """A longer life, as the site's own or by the project's, is enough; so is a domain."""
    for own in ("&querystring_expire=7265", "&domain=media.example.org"):
        path = tmp_path / "sites.toml"
        path.write_text(SITES % own)
        registry = open_registry(path, {})
        assert "nginx/cache.conf" in texts("nginx", planned(registry, registry.load(), make_codebase(), tmp_path))
    path.write_text(SITES % "")
    registry = open_registry(path, {})
    codebase = make_codebase(signed_seconds=86_400)
    assert "nginx/cache.conf" in texts("nginx", planned(registry, registry.load(), codebase, tmp_path))


@pytest.mark.parametrize(
    ("cache", "expire", "is_refused"),
    [(60, 60, True), (60, 60 + WAITED - 1, True), (60, 60 + WAITED, False), (0, 1, False), (86_400, 604_800, False)],
)
def test_time_of_a_request_is_counted(cache: int, expire: int, is_refused: bool) -> None:
    """While one visitor waits for the new page others still get the old one, so it must be good for as long."""
    plan = plan_of(make_site("aurora", storage=bucket(querystring_expire=expire)), cache=cache)
    if is_refused:
        assert f"at most {max(0, expire - WAITED)}," in refused(plan)
    else:
        assert texts("nginx", plan)


def test_setting_of_the_project_is_what_counts_where_the_site_states_none() -> None:
    """AWS_QUERYSTRING_EXPIRE = 2, and a site's own number of seconds, are both told."""
    own = make_site("borealis", storage=bucket(), nginx=(("cache", 10),))
    assert "sites.borealis.nginx.cache: Pages of borealis are kept for 10 seconds" in refused(
        plan_of(own, signed_seconds=2)
    )


@pytest.mark.servers
def test_image_of_a_kept_page_is_there_until_nginx_asks_for_another_page(
    folder: Path, process_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shortest life that is accepted, each address that visitors get is valid; another page has another."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    expire = WAITED + 2
    with running_strict_s3(SECRET_KEY) as strict, contextlib.ExitStack() as stack:
        process_of(endpoint=f"http://127.0.0.1:{strict.ports[0]}", querystring_expire=expire)
        own = SiteS3Storage(site="aurora")
        stack.callback(own.connection.meta.client.close)
        name = own.save("a.png", ContentFile(b"image"))
        site = make_site("aurora", storage=bucket(querystring_expire=expire))

        def page(variables: dict[str, str]) -> tuple[str, dict[str, str], str]:
            return "200 OK", {}, own.url(name)

        stack.enter_context(serving(local_plan(folder, site, options={"cache": 2}), folder, aurora=page))
        seen = []
        for pause in (0.0, 1.0, 4.0):
            time.sleep(pause)
            seen.append(body(folder, AURORA, "/"))
            with urllib.request.urlopen(seen[-1], timeout=10) as response:
                assert response.read() == b"image"
    assert seen[0] == seen[1] != seen[2]


def told(plan: Plan, *targets: str) -> list[str]:
    return list(cautions(plan, targets))


@pytest.mark.parametrize(("kept", "expire", "is_told"), [(600, 3600, False), (7200, 3600, True), (3600, 3600, True)])
def test_pages_that_the_project_keeps_for_longer_are_told(kept: int, expire: int, is_told: bool) -> None:
    """Django's own cache of pages is no better than nginx'."""
    sites = [make_site(name, cache=REDIS, storage=bucket()) for name in ("aurora", "borealis")]
    found = told(plan_of(*sites, page_seconds=kept, signed_seconds=expire), "uwsgi")
    assert [sentence.startswith(f"The project keeps pages for {kept} seconds") for sentence in found] == [
        True
    ] * is_told
    local = make_site("aurora", data=DATA, cache=REDIS)
    assert told(plan_of(local, page_seconds=kept, signed_seconds=expire)) == []


def test_cache_in_front_is_told_until_somebody_has_decided() -> None:
    """How long a CDN keeps pages is said nowhere here, so the operator says how long addresses must be valid."""
    frontend = FrontendCacheSpec(backend="http", location="http://varnish:6081")
    site = make_site("aurora", cache=REDIS, storage=bucket(), frontend=frontend)
    (sentence,) = told(plan_of(site))
    assert sentence.startswith("The cache in front of the site aurora keeps pages") and "3600 seconds" in sentence
    assert told(plan_of(replace(site, storage=bucket(querystring_expire=86_400)))) == []
    assert told(plan_of(replace(site, storage=bucket(domain="media.example.org")))) == []
    assert told(plan_of(replace(site, frontend=None))) == []


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ({"endpoint": "http://minio:9000"}, ["only known in its own network", "public_endpoint"]),
        ({"endpoint": "http://s3.example.org:9000"}, ["over http, which browsers block"]),
        ({"endpoint": "http://minio:9000", "public_endpoint": "https://s3.example.org"}, []),
        ({"endpoint": "http://minio:9000", "domain": "media.example.org"}, []),
        ({"endpoint": "https://10.0.0.5"}, []),
        ({}, []),
    ],
)
def test_server_that_browsers_do_not_reach_is_told(storage: dict[str, str], words: list[str]) -> None:
    """A name of a container's network, and http in pages that come over https."""
    found = told(plan_of(make_site("aurora", cache=REDIS, storage=bucket(**storage))))
    assert len(found) == bool(words)
    assert all(word in found[0] for word in words)
