"""Emitted files as whole texts, to be read as a server's administrator reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emitters.conftest import BUCKET, make_codebase, make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan, emitters
from wagtail_multihost.emitters.files import RenderedFile
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.tls import TlsSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

TLS = TlsSpec(certificate="/etc/tls/{hostname}/fullchain.pem", key="/etc/tls/{hostname}/privkey.pem")

AURORA = make_site(
    "aurora", hostnames=("aurora.example.org", "www.aurora.example.org"), aliases=("aurora.example.net",)
)
BOREALIS = make_site("borealis")
CORONA = make_site("corona", storage=BUCKET)
SECURE = make_site("secure", hostnames=("secure.example.org", "www.secure.example.org"), tls=TLS)
MOVED = make_site(
    "moved", socket="moved-2.sock", storage=StorageSpec(backend="files", path=Path("/srv/moved/media files"))
)
ROUTER = {"origin": "http://{hostname}:8000"}

CASES = {
    ("nginx", "http"): make_plan(AURORA, BOREALIS, CORONA),
    ("nginx", "tls"): make_plan(AURORA, SECURE),
    ("nginx", "tls-own-port"): make_plan(
        SECURE,
        platform=make_platform(
            origin="https://{hostname}:8443",
            nginx=NginxOptions(http=("127.0.0.1:8080",), https=("127.0.0.1:8443",), user="nginx", body_size="1g"),
        ),
    ),
    ("nginx", "moved"): make_plan(MOVED),
    ("nginx", "reserved-ids"): make_plan(
        *(
            make_site(word, socket=f"{word}-1.sock", storage=StorageSpec(backend="files", path=Path(f"/srv/{word}")))
            for word in ("default", "hostnames", "include", "volatile")
        )
    ),
    ("nginx", "none"): make_plan(),
    ("nginx", "behind-proxy"): make_plan(
        BOREALIS, platform=make_platform(secure_proxy_ssl_header=("HTTP_X_FORWARDED_PROTO", "https"))
    ),
    ("nginx", "files-elsewhere"): make_plan(
        BOREALIS, codebase=make_codebase(static_root=None, static_url=None, media_url=None)
    ),
    ("uwsgi", "behind-nginx"): make_plan(AURORA, MOVED, CORONA),
    ("uwsgi", "router"): make_plan(
        AURORA, CORONA, platform=make_platform(uwsgi=UwsgiOptions(http="127.0.0.1:8000", processes=1), **ROUTER)
    ),
    ("uwsgi", "debian"): make_plan(
        AURORA,
        codebase=make_codebase(virtualenv=Path("/usr")),
        platform=make_platform(uwsgi=UwsgiOptions(build="debian", processes=4, threads=2, harakiri=30)),
    ),
    ("uwsgi", "accounts"): make_plan(
        AURORA,
        make_site("borealis", uwsgi=(("on_demand", True), ("idle", 300))),
        codebase=make_codebase(virtualenv=Path("/usr")),
        platform=make_platform(
            user="site-{site}",
            group="site-{site}",
            snapshots=Path("/run/multihost-sites"),
            uwsgi=UwsgiOptions(build="debian", cgroup="/sys/fs/cgroup/aviary/{site}", memory="1g", rss="300m"),
        ),
    ),
    ("uwsgi", "own-code"): make_plan(
        make_site(
            "aurora",
            code=(
                ("directory", Path("/srv/aurora/code")),
                ("virtualenv", Path("/srv/aurora/venv")),
                ("wsgi", "shop.wsgi:application"),
                ("settings_module", "shop.settings"),
                ("pythonpath", ("/srv/aurora/plugins", "/srv/aurora/[old]")),
            ),
            uwsgi=(("processes", 4), ("cheaper", 1), ("max_requests_delta", 500), ("backlog", 50)),
        ),
        BOREALIS,
        platform=make_platform(uwsgi=UwsgiOptions(freeze=False, stats=True)),
    ),
    ("uwsgi", "debian-router"): make_plan(
        AURORA,
        codebase=make_codebase(virtualenv=Path("/usr")),
        platform=make_platform(uwsgi=UwsgiOptions(build="debian", http="127.0.0.1:8000"), **ROUTER),
    ),
}


@pytest.mark.parametrize(("target", "case"), CASES)
def test_emitted_files_are_those_reviewed(
    target: str, case: str, matches_golden: Callable[[str, str, Plan], None]
) -> None:
    """The files of a plan are, byte for byte, those that were reviewed."""
    matches_golden(target, case, CASES[target, case])


@pytest.mark.parametrize(("target", "case"), CASES)
def test_emitted_files_carry_ownership_and_lie_in_the_folders_of_their_target(target: str, case: str) -> None:
    """Every file starts with the ownership line, ends its last line, and lies where stale files are looked for."""
    for path, text in texts(target, CASES[target, case]).items():
        assert text.startswith(f"{OWNERSHIP_LINE}\n") and text.endswith("\n")
        assert str(Path(path).parent) in emitters()[target].folders


@pytest.mark.parametrize(("target", "case"), CASES)
def test_files_of_sites_have_seals(target: str, case: str) -> None:
    """A file without one would be rendered anew by every run, however little has changed."""
    found = [file for file in emitters()[target].emit(CASES[target, case]) if isinstance(file, RenderedFile)]
    assert [str(file.path) for file in found if not file.seal(file.text)] == []


def is_for_a_runner(plan: Plan) -> bool:
    return bool(plan.options(UwsgiOptions).http and not plan.platform.user)


def test_no_secret_is_emitted() -> None:
    """A bucket's keys are in no emitted file: the site's process reads them itself."""
    emitted = "".join(
        "".join(texts(target, plan).values())
        for target in emitters()
        for plan in CASES.values()
        if target != "embedded" or is_for_a_runner(plan)
    )
    assert "corona" in emitted and "not-emitted" not in emitted
