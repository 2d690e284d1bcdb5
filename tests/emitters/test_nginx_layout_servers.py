"""What a running nginx does with sites of all kinds side by side, over http and https."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_site
from tests.emitters.front import Front, opened_front
from tests.servers.accounts import IS_ROOT, OTHERS
from tests.servers.processes import wait_for
from wagtail_multihost.emitters import Stage, emitters
from wagtail_multihost.spec.nginx import NginxOptions

pytestmark = pytest.mark.servers

AURORA, BOREALIS, CORONA = "aurora.example.org", "borealis.example.org", "corona.example.org"
WWW = "www.aurora.example.org"
OWN = {"nginx": (("body_size", "1k"),)}


@pytest.fixture
def front() -> Iterator[Front]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield opened_front(folder)


def test_own_server_serves_beside_the_shared_one(front: Front) -> None:
    """A site with a smaller body size refuses what its neighbour in the shared server takes, over http and https."""
    tls = front.certify(AURORA, BOREALIS)
    plan = front.plan(make_site("aurora", tls=tls), make_site("borealis", tls=tls, **OWN), make_site("corona"))
    assert (front.write(plan).parent / "sites/borealis.conf").exists()
    with front.serving(plan, "aurora", "borealis", "corona"):
        for host in (AURORA, BOREALIS):
            asked = front.ask_tls(host, "/x").asked
            assert (asked["HTTP_HOST"], asked["REQUEST_SCHEME"], asked["HTTP_X_FORWARDED_PROTO"]) == (
                host,
                "https",
                "https",
            )
            assert front.ask(host, "/x").headers["location"] == f"https://{host}/x"
        assert front.ask(CORONA, method="POST", body="x" * 2000).status == 200
        with front.secure(BOREALIS) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\nHost: {BOREALIS}\r\nContent-Length: 2000\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("own", [{}, OWN])
@pytest.mark.parametrize("kind", ["pending", "off"])
def test_host_without_certificate_stays_on_http(front: Front, kind: str, own: dict[str, object]) -> None:
    """A host that is pending or off is served over http without redirect or HSTS, and gets no handshake."""
    tls = front.certify(AURORA)
    spec = type(tls)(certificate=tls.certificate, key=tls.key, **{kind: (BOREALIS,)})
    site = make_site("aurora", hostnames=(AURORA,), aliases=(BOREALIS,), tls=spec, **own)
    with front.serving(front.plan(site, origin="https://{hostname}"), "aurora"):
        answer = front.ask(BOREALIS, "/x")
        assert (answer.status, answer.asked["REQUEST_SCHEME"]) == (200, "http")
        assert "strict-transport-security" not in answer.headers
        assert front.ask(AURORA, "/x").headers["location"] == f"https://{AURORA}/x"
        assert front.ask_tls(AURORA).status == 200
        with pytest.raises(ssl.SSLError):
            front.ask_tls(BOREALIS)
        assert front.ask_tls(BOREALIS, name=AURORA).status == 0


def test_second_host_of_a_pending_one_redirects_to_http(front: Front) -> None:
    """While the first hostname waits for its certificate, the others lead to it over http."""
    tls = front.certify(WWW)
    spec = type(tls)(certificate=tls.certificate, key=tls.key, pending=(AURORA,))
    site = make_site("aurora", hostnames=(AURORA, WWW, "old.example.org"), tls=spec)
    with front.serving(front.plan(site, origin="https://{hostname}"), "aurora"):
        assert front.ask_tls(WWW, "/x").headers["location"] == f"http://{AURORA}/x"
        assert front.ask(AURORA, "/x").status == 200


@pytest.mark.parametrize("own", [{}, OWN])
@pytest.mark.parametrize("fault", ["missing", "garbage", "other key", "expired"])
def test_broken_certificate_hurts_its_host_alone(front: Front, fault: str, own: dict[str, object]) -> None:
    """nginx tests and starts with the broken certificate of one host, and serves all others, also of that site."""
    tls = front.certify(AURORA, WWW, BOREALIS)
    spoil(front.folder, fault)
    site = make_site("aurora", aliases=(WWW,), tls=tls, **own)
    plan = front.plan(site, make_site("borealis", tls=tls))
    conf = front.write(plan)
    subprocess.run(["nginx", "-t", "-q", "-e", "stderr", "-c", conf], check=True)
    with front.serving(plan, "aurora", "borealis"):
        with pytest.raises(ssl.SSLError):
            front.ask_tls(AURORA)
        assert front.ask_tls(WWW).status == 200
        assert front.ask_tls(BOREALIS).status == 200


def spoil(folder: Path, fault: str) -> None:
    """Spoil the certificate of the host aurora."""
    certificate, key = folder / f"{AURORA}.pem", folder / f"{AURORA}.key"
    if fault == "missing":
        certificate.unlink()
    elif fault == "garbage":
        certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    elif fault == "other key":
        key.write_bytes((folder / f"{WWW}.key").read_bytes())
    else:
        files = ["-in", certificate, "-signkey", key, "-days", "-1", "-out", certificate]
        subprocess.run(["openssl", "x509", *files], check=True, capture_output=True)


def test_challenges_are_answered_before_all_else(front: Front) -> None:
    """Any host of ours answers challenges over http: with and without TLS, redirected, own server, closed."""
    tls = front.certify(AURORA)
    sites = [
        make_site("aurora", hostnames=(AURORA, WWW), tls=tls),
        make_site("borealis", **OWN),
        make_site("corona", state="maintenance"),
        make_site("drift", state="suspended"),
    ]
    challenges = front.folder / "acme/.well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("proof")
    (front.folder / "acme/secret").write_text("secret")
    with front.serving(front.plan(*sites, nginx={"acme": front.folder / "acme"}), "aurora", "borealis"):
        for host in (AURORA, WWW, BOREALIS, CORONA, "drift.example.org"):
            answer = front.ask(host, "/.well-known/acme-challenge/token")
            assert (answer.status, answer.body, answer.headers["content-type"]) == (200, "proof", "text/plain")
            assert front.ask(host, "/.well-known/acme-challenge/none").status == 404
            assert front.ask(host, "/.well-known/acme-challenge/../../secret").body != "secret"
        assert front.ask("x.example.org", "/.well-known/acme-challenge/token").status == 0
        assert front.ask(AURORA, "/.well-known/x").headers["location"] == f"https://{AURORA}/.well-known/x"
        assert front.ask(CORONA, "/.well-known/x").status == 503


@pytest.mark.parametrize("own", [{}, OWN])
@pytest.mark.parametrize("pages", [False, True])
def test_closed_sites_show_a_page_and_ask_no_application(front: Front, pages: bool, own: dict[str, object]) -> None:
    """Every method gets 503 in maintenance and 403 while suspended; only the former still has its files."""
    (front.folder / "static/a.txt").write_text("static")
    (front.folder / "pages").mkdir()
    for name in ("maintenance", "suspended"):
        (front.folder / f"pages/{name}.html").write_text(f"own {name}")
    sites = [make_site("aurora"), *(make_site(site, **own, state=state) for site, state in STATES.items())]
    plan = front.plan(*sites, nginx={"pages": front.folder / "pages"} if pages else {})
    expected = ("own maintenance", "own suspended") if pages else (MAINTENANCE_TEXT, SUSPENDED_TEXT)
    with front.serving(plan, "aurora", "borealis", "corona"):
        for method, path in (("GET", "/"), ("POST", "/admin/"), ("DELETE", "/x"), ("GET", "/-/maintenance.html")):
            answer = front.ask(BOREALIS, path, method=method)
            assert (answer.status, answer.body) == (503, expected[0]) or path.startswith("/-/"), method
            assert path.startswith("/-/") or int(answer.headers["retry-after"])
            assert (front.ask(CORONA, path, method=method).status) == (404 if path.startswith("/-/") else 403)
        assert front.ask(CORONA).body == expected[1]
        assert front.ask(BOREALIS, "/static/a.txt").body == "static"
        assert front.ask(BOREALIS, "/static/../x").status == 503
        assert front.ask(CORONA, "/static/a.txt").status == 403
        assert front.ask(AURORA).status == 200
        assert front.ask(AURORA, "/-/maintenance.html").status == 404


STATES = {"borealis": "maintenance", "corona": "suspended"}
MAINTENANCE_TEXT = "This site is being worked on. Please come back soon.\n"
SUSPENDED_TEXT = "This site is suspended.\n"


def test_missing_page_is_still_the_status_of_the_state(front: Front) -> None:
    """A folder of pages without the page shows nginx's own, and asks no application."""
    plan = front.plan(*(make_site(site, state=state) for site, state in STATES.items()), nginx={"pages": Path("/none")})
    with front.serving(plan, "borealis", "corona"):
        assert front.ask(BOREALIS, method="POST").status == 503
        assert front.ask(CORONA, method="POST").status == 403


def test_generation_is_shown_to_this_machine_alone(front: Front) -> None:
    """The token is shown over loopback and unix sockets; an address that a client claims counts for nothing."""
    plan = front.plan(make_site("aurora"), nginx={"proxies": ("127.0.0.0/8",)})
    conf = front.write(plan)
    with front.serving(plan, "aurora", token="abc123"):
        for unix in (False, True):
            answer = front.ask("generation", "/-/generation", unix=unix)
            assert (answer.status, answer.body) == (200, "abc123\n")
        assert front.ask(AURORA, "/-/generation").status == 404
        assert front.ask("x.example.org", "/").status == 0
    # As if this machine were 127.9.0.0/16 alone.
    text = conf.read_text()
    assert text.count("127.0.0.0/8 on;") == 1
    conf.write_text(text.replace("127.0.0.0/8 on;", "127.9.0.0/16 on;"))
    with front.running(conf):
        assert front.ask("generation", "/-/generation", X_Forwarded_For="127.9.0.1").status == 0


def test_reload_with_another_rate_is_served(front: Front) -> None:
    """A changed rate has a zone of another name, so nginx takes the new files."""
    first, second = (
        front.plan(make_site("aurora", nginx=(("rate", rate), ("client_connections", rate)))) for rate in (5, 7)
    )
    with front.serving(first, "aurora", token="first"):
        front.write(second, token="second")
        os.kill(int((front.folder / "nginx.pid").read_text()), signal.SIGHUP)
        wait_for(lambda: front.ask("x", "/-/generation").body == "second\n", "the new files")
        assert front.ask(AURORA).status == 200


def test_rate_holds_for_one_client_of_one_site(front: Front) -> None:
    """Requests above a site's rate get 429; files do not count, and another site's visitors are not held up."""
    (front.folder / "static/a.txt").write_text("static")
    sites = [
        make_site("aurora", nginx=(("rate", 1), ("burst", 0))),
        make_site("borealis", nginx=(("rate", 1), ("burst", 50))),
        make_site("corona"),
    ]
    with front.serving(front.plan(*sites), "aurora", "borealis", "corona"):
        assert front.ask(AURORA).status == 200
        assert 429 in {front.ask(AURORA).status for _ in range(20)}
        for host, path in ((AURORA, "/static/a.txt"), (BOREALIS, "/"), (CORONA, "/")):
            assert {front.ask(host, path).status for _ in range(20)} == {200}


def test_connections_are_limited_for_one_client_of_one_site(front: Front) -> None:
    """A client that holds a site's only connection gets no second one there, and as many as it likes elsewhere."""
    sites = [make_site(site, nginx=(("client_connections", 1),)) for site in ("aurora", "borealis")]
    with (
        front.serving(front.plan(*sites), "aurora", "borealis"),
        socket.create_connection(("127.0.0.1", front.http)) as held,
    ):
        held.sendall(f"GET /held HTTP/1.1\r\nHost: {AURORA}\r\n\r\n".encode())
        wait_for((front.folder / "run/aurora.held").exists, "the connection to be held")
        assert [front.ask(host).status for host in (AURORA, BOREALIS)] == [429, 200]


def test_word_of_trusted_proxies_is_taken(front: Front) -> None:
    """A trusted proxy says who the client is and which scheme it uses; the last address it added counts."""
    header = {"secure_proxy_ssl_header": ("HTTP_X_FORWARDED_PROTO", "https")}
    plan = front.plan(make_site("aurora"), nginx={"proxies": ("127.0.0.1", "10.0.0.0/8")}, **header)
    with front.serving(plan, "aurora"):
        claim = {"X_Forwarded_For": "198.51.100.1, 203.0.113.7, 10.1.1.1", "X_Forwarded_Proto": "https"}
        asked = front.ask(AURORA, **claim, X_Forwarded_Port="1", Forwarded="for=1").asked
    assert (asked["REMOTE_ADDR"], asked["HTTP_X_FORWARDED_FOR"]) == ("203.0.113.7", "203.0.113.7")
    assert asked["HTTP_X_FORWARDED_PROTO"] == "https"
    assert (asked["HTTP_X_FORWARDED_PORT"], asked["HTTP_FORWARDED"]) == ("443", "proto=https")


def test_visitor_of_a_proxy_that_ends_tls_is_not_sent_around(front: Front) -> None:
    """Who is on https already, as a trusted proxy says, gets the page; who is not is redirected once."""
    header = {"secure_proxy_ssl_header": ("HTTP_X_FORWARDED_SSL", "on")}
    plan = front.plan(make_site("aurora", tls=front.certify(AURORA)), nginx={"proxies": ("127.0.0.1",)}, **header)
    with front.serving(plan, "aurora"):
        assert front.ask(AURORA, X_Forwarded_Ssl="on").status == 200
        assert front.ask(AURORA, X_Forwarded_Ssl="off").status == 301


def test_word_of_others_is_not_taken(front: Front) -> None:
    """A client that is no trusted proxy neither chooses its address nor the scheme, whatever header it sends."""
    header = {"secure_proxy_ssl_header": ("HTTP_X_SCHEME", "https")}
    plan = front.plan(make_site("aurora"), nginx={"proxies": ("10.0.0.0/8",)}, **header)
    with front.serving(plan, "aurora"):
        asked = front.ask(AURORA, X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https", X_Scheme="https").asked
    assert (asked["REMOTE_ADDR"], asked["HTTP_X_FORWARDED_FOR"]) == ("127.0.0.1", "127.0.0.1")
    assert (asked["HTTP_X_FORWARDED_PROTO"], asked["HTTP_X_SCHEME"]) == ("http", "http")


@pytest.mark.parametrize("own", [{}, OWN])
def test_health_is_closed_in_every_spelling(front: Front, own: dict[str, object]) -> None:
    """No spelling of a path below /-/ reaches the application, in a shared server or in an own one."""
    paths = ["/-", "/-/live/", "//-/live/", "/%2d/live/", "/-%2flive/", "/%2D%2Flive/", "/./-/live/", "/x/../-/live/"]
    paths += ["/x/%2e%2e/-/live/", "/-//live/", "/\\-/../-/live/", f"http://{AURORA}/-/live/", "/-/?x=1"]
    with front.serving(front.plan(make_site("aurora", **own)), "aurora"):
        assert {path: front.ask(AURORA, path).status for path in paths} == dict.fromkeys(paths, 404)
        assert front.ask(AURORA, "/%252d/live/").asked["PATH_INFO"] == "/%2d/live/"


def test_own_log_has_the_requests_of_its_site_alone(front: Front) -> None:
    """A site's own log has its requests with their ids, and the common one has everybody's."""
    plan = front.plan(make_site("aurora", nginx=(("access_log", True),)), make_site("borealis"))
    with front.serving(plan, "aurora", "borealis"):
        asked = [front.ask(host, f'/{host}"\\').asked["HTTP_X_REQUEST_ID"] for host in (AURORA, BOREALIS)]
    own, common = ((front.folder / "logs" / name).read_text() for name in ("aurora.access.log", "access.log"))
    lines = [json.loads(line) for line in common.splitlines()]
    assert [(line["site"], line["request_id"]) for line in lines] == list(
        zip(("aurora", "borealis"), asked, strict=True)
    )
    assert [json.loads(line) for line in own.splitlines()] == lines[:1]


@pytest.mark.parametrize("http2", [True, False])
def test_http2_is_spoken_where_it_is_wanted(front: Front, http2: bool) -> None:
    """Browsers get HTTP/2 over https unless it is switched off."""
    plan = front.plan(make_site("aurora", tls=front.certify(AURORA)), nginx={"http2": http2})
    with front.serving(plan, "aurora"), front.secure(AURORA, "h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == ("h2" if http2 else "http/1.1")


def test_handshakes_fail_without_the_directive_that_rejects_them(front: Front) -> None:
    """For an nginx before 1.19.4 an unknown name still gets no handshake."""
    plan = front.plan(make_site("aurora", tls=front.certify(AURORA)), nginx={"version": "1.18.0"})
    with front.serving(plan, "aurora"):
        assert front.ask_tls(AURORA).status == 200
        with pytest.raises(ssl.SSLError):
            front.ask_tls(BOREALIS)


def test_own_files_are_included(front: Front) -> None:
    """The platform's file is read in http, a site's in its server, and nobody else's answers have it."""
    common, own = front.folder / "common.conf", front.folder / "own.conf"
    common.write_text("map $host $greeting { default hello; }\n")
    own.write_text("add_header X-Greeting $greeting;\n")
    sites = [make_site("aurora", nginx=(("site_include", own),)), make_site("borealis")]
    with front.serving(front.plan(*sites, nginx={"include": common}), "aurora", "borealis"):
        assert front.ask(AURORA).headers["x-greeting"] == "hello"
        assert "x-greeting" not in front.ask(BOREALIS).headers


def test_scratch_copy_is_tested_as_it_stands(front: Front) -> None:
    """The test of a copy reads that copy, and leaves the running server's pid file and logs alone."""
    plan = front.plan(make_site("aurora", **OWN))
    front.write(plan)
    (front.folder / "conf").rename(front.folder / "copy")
    (front.folder / "nginx.pid").write_text("1\n")
    stage = Stage(plan, front.folder / "copy", frozenset())
    assert passes(stage)
    assert (front.folder / "nginx.pid").read_text() == "1\n"
    (front.folder / "copy/nginx/sites/aurora.conf").write_text("broken")
    assert not passes(stage)


@pytest.mark.skipif(not IS_ROOT, reason="Only root can become somebody else.")
def test_scratch_copy_is_tested_without_privileges(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not bind port 80 or write to /var/log/nginx can still have the files tested."""
    broken = make_site("borealis", nginx=(("site_include", Path("/none/broken.conf")),))
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    for sites, accepted in (([make_site("aurora", **OWN)], True), ([broken], False)):
        plan = front.plan(*sites, nginx=defaults())
        with tempfile.TemporaryDirectory(prefix="mh-") as name:
            stage = Stage(plan, Path(name), frozenset({PurePosixPath("nginx/nginx.conf")}))
            commands = list(emitters()["nginx"].validate(stage))
            subprocess.run(["chown", "-R", OTHERS.user, name], check=True)
            for validation in commands:
                result = subprocess.run(OTHERS.command(*validation.command), capture_output=True, text=True)
                assert (result.returncode == 0) is accepted, result.stderr
            assert commands


def defaults() -> dict[str, object]:
    """Return the places of Debian, which only root may use."""
    options = NginxOptions()
    return {name: getattr(options, name) for name in ("http", "https", "pid", "logs", "temp", "cache_path", "user")}


def passes(stage: Stage) -> bool:
    (validation,) = emitters()["nginx"].validate(stage)
    return subprocess.run(validation.command, capture_output=True, check=False).returncode == 0
