"""A front server and nodes behind it: two nginx, and applications on the nodes that may be hostile."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.emitters.test_nginx_content_servers import AURORA, BOREALIS, Application, body, send
from tests.servers.applications import Answer, application
from tests.servers.processes import accepts, free_port, running, wait_for
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec

pytestmark = pytest.mark.servers

#: Both at one address: one that is given up for a while is seen by the other's requests.
NODES = ("app-1", "app-2")
REQUEST_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets, which nginx's own account may enter."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def machine(folder: Path, node: str, port: int, *sites: SiteSpec, **options: Any) -> Plan:
    """Return the plan of one of two machines: the front server, with a blank name, or the node that is both nodes."""
    own = folder / (node or "front")
    for name in ("logs", "temp", "static"):
        (own / name).mkdir(parents=True)
    nginx = NginxOptions(
        **{
            "http": (f"unix:{folder}/http.sock",),
            "user": getpass.getuser(),
            "pid": own / "nginx.pid",
            "logs": own / "logs",
            "temp": own / "temp",
            "cache_path": own / "cache",
            "fronts": ("127.0.0.1",),
            **options,
        }
    )
    platform = make_platform(
        nginx=nginx, sockets=folder, data=folder / "data", nodes=tuple((name, f"127.0.0.1:{port}") for name in NODES)
    )
    return make_plan(
        *sites, directory=own, platform=platform, codebase=make_codebase(static_root=own / "static"), node=node
    )


@contextlib.contextmanager
def serving(folder: Path, *sites: SiteSpec, **options: Any) -> Iterator[int]:
    """Run the front server and its node; the value is the node's port."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        for node in ("app-1", ""):
            plan = machine(folder, node, port, *(sites or (make_site("aurora"), make_site("borealis"))), **options)
            conf = written("nginx", plan) / "nginx/nginx.conf"
            log = plan.directory / "output.log"
            stack.enter_context(running(["nginx", "-c", conf, "-g", "daemon off;"], log))
            wait_for(plan.options(NginxOptions).pid.exists, f"nginx: {log.read_text()}")
        wait_for(lambda: accepts(folder / "http.sock"), "the front server")
        yield port


def ask_node(port: int, headers: dict[str, str], context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Return the node's answer to somebody who connects to it."""
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    with contextlib.closing(connection):
        connection.request("GET", "/a", headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_front_server_passes_requests_on_with_its_own_word_alone(folder: Path) -> None:
    """The application hears the visitor's address, scheme and request from the front server, not from the visitor."""
    aurora = Application()
    lies = {
        "X-Forwarded-For": "10.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": BOREALIS,
        "X-Real-IP": "10.9.9.9",
        "X-Request-Id": REQUEST_ID,
        "Forwarded": "for=10.9.9.9",
    }
    with serving(folder), application(folder / "aurora.sock", aurora):
        assert body(folder, AURORA, "/a%20b?x=%2F", lies) == f"{AURORA} /a%20b?x=%2F 1"
    told = aurora.requests[0]
    assert told["HTTP_HOST"] == told["SERVER_NAME"] == AURORA
    assert told["HTTP_X_FORWARDED_PROTO"] == "http"
    assert told["HTTP_X_REQUEST_ID"] != REQUEST_ID
    assert len(told["HTTP_X_REQUEST_ID"]) == len(REQUEST_ID)
    assert not [value for key, value in told.items() if "10.9.9.9" in value or BOREALIS in value]
    front, node = ((folder / name / "logs/access.log").read_text() for name in ("front", "app-1"))
    assert told["HTTP_X_REQUEST_ID"] in front
    assert told["HTTP_X_REQUEST_ID"] in node


def test_node_takes_address_scheme_and_request_from_the_front_server(folder: Path) -> None:
    """What comes from a front server's address is believed."""
    aurora = Application()
    headers = {
        "Host": AURORA,
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Request-Id": REQUEST_ID,
    }
    with serving(folder) as port, application(folder / "aurora.sock", aurora):
        assert ask_node(port, headers) == (200, f"{AURORA} /a 1")
    told = aurora.requests[0]
    assert told["REMOTE_ADDR"] == "192.0.2.7"
    assert told["HTTP_X_FORWARDED_PROTO"] == "https"
    assert told["HTTP_X_REQUEST_ID"] == REQUEST_ID


def test_node_hears_nobody_but_the_front_server(folder: Path) -> None:
    """Who connects from another address gets no answer, whatever address it claims."""
    aurora = Application()
    with serving(folder, fronts=("192.0.2.1",)) as port, application(folder / "aurora.sock", aurora):
        for host in (AURORA, "unknown.example.org"):
            with pytest.raises(http.client.RemoteDisconnected):
                ask_node(port, {"Host": host, "X-Forwarded-For": "192.0.2.1"})
    assert not aurora.requests


def test_static_files_and_uploads_come_from_the_node(folder: Path) -> None:
    """The front server has no files: those of the node's disk are sent, with the node's rules."""
    site = make_site("aurora", data=folder / "data")
    uploads = folder / "data/sites/aurora/media"
    uploads.mkdir(parents=True)
    (uploads / "a.txt").write_text("upload")
    with serving(folder, site):
        (folder / "app-1/static/a.0123456789ab.css").write_text("text")
        _, headers, text = send(folder, AURORA, "/static/a.0123456789ab.css")
        assert (text, headers["Cache-Control"]) == (b"text", "public, max-age=31536000, immutable")
        _, headers, text = send(folder, AURORA, "/media/a.txt")
        assert (text, headers["X-Content-Type-Options"]) == (b"upload", "nosniff")
        assert send(folder, AURORA, "/-/files/a.txt")[0] == 404


@pytest.mark.parametrize("size", [4000, 7900, 8100, 40000])
def test_broken_answers_of_one_site_take_the_node_from_no_other(folder: Path, size: int) -> None:
    """A site whose answers nginx refuses, or whose process is not there, hurts itself alone."""
    aurora = Application({"/broken": ("200 OK", {"X-Long": "x" * size}, "text")})
    with (
        serving(folder, make_site("aurora"), make_site("borealis"), make_site("corona")),
        application(folder / "aurora.sock", aurora),
        application(folder / "borealis.sock", Application()),
    ):
        for number in range(1, 6):
            assert send(folder, AURORA, "/broken")[0] in (200, 502)
            assert send(folder, "corona.example.org", "/")[0] == 502
            assert body(folder, BOREALIS, "/a") == f"{BOREALIS} /a {number}"


def test_front_server_obeys_no_command_of_an_application(folder: Path) -> None:
    """An application's address for nginx is looked up on its node, below its own site, and nowhere else."""
    aurora = Application()
    for path in ("/-/files/a.txt", "/-/purge", "/-/generation"):
        answer: Answer = ("200 OK", {"X-Accel-Redirect": path}, "text")
        aurora.answers[f"/{len(aurora.answers)}"] = answer
    with serving(folder), application(folder / "aurora.sock", aurora):
        assert [send(folder, AURORA, path)[0] for path in aurora.answers] == [404] * 3


def test_front_server_keeps_pages_and_purges_them(folder: Path) -> None:
    """Pages are kept by the front server, for visitors without a session, and fetched anew by a purge from a node."""
    aurora = Application()
    with (
        serving(folder, make_site("aurora"), cache=60, purgers=("0.0.0.0/0",)) as port,
        application(folder / "aurora.sock", aurora),
    ):
        for _ in range(2):
            assert body(folder, AURORA, "/a") == f"{AURORA} /a 1"
        assert ask_node(port, {"Host": AURORA}) == (200, f"{AURORA} /a 2")
        assert body(folder, AURORA, "/a", {"Cookie": "sessionid_aurora=1"}) == f"{AURORA} /a 3"
        assert send(folder, AURORA, "/a", {"Accept-Encoding": "gzip"}, method="PURGE")[0] == 200
        wait_for(lambda: body(folder, AURORA, "/a") == f"{AURORA} /a 4", "the new page")
    assert {request["REQUEST_METHOD"] for request in aurora.requests} == {"GET"}


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> dict[str, str]:
    """Make an authority for each end, and their certificates; one more of a stranger's authority."""
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for authority, name in (("nodes", "node"), ("fronts", "front"), ("strangers", "stranger")):
        ends = ("-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "2", "-subj", f"/CN={authority}")
        openssl(folder, "req", "-x509", *new, *ends)
        openssl(folder, "req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names.cnf").write_text(f"subjectAltName=DNS:multihost-{name}")
        signing = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "2")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-extfile", "names.cnf", "-out", f"{name}.pem")
    return {
        "node_certificate": f"{folder}/node.pem",
        "node_key": f"{folder}/node.key",
        "node_authority": f"{folder}/nodes.pem",
        "front_certificate": f"{folder}/front.pem",
        "front_key": f"{folder}/front.key",
        "front_authority": f"{folder}/fronts.pem",
    }


def certified(folder: Path, name: str) -> ssl.SSLContext:
    """Return a client that has the certificate ``name``, or none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def test_node_hears_certified_front_servers_alone(folder: Path) -> None:
    """Without fronts, a certificate of the front servers' authority is what lets one in; a node's is not."""
    options = {name: Path(path) for name, path in make_certificates(folder).items()}
    with serving(folder, fronts=(), **options) as port, application(folder / "aurora.sock", Application()):
        assert body(folder, AURORA, "/a") == f"{AURORA} /a 1"
        assert ask_node(port, {"Host": AURORA}, certified(folder, "front")) == (200, f"{AURORA} /a 2")
        for name in ("", "node", "stranger"):
            assert ask_node(port, {"Host": AURORA}, certified(folder, name))[0] == 400
        assert ask_node(port, {"Host": AURORA})[0] == 400


def test_front_server_speaks_to_certified_nodes_alone(folder: Path) -> None:
    """A machine at the node's address without a certificate of the nodes' authority gets no request."""
    options = {name: Path(path) for name, path in make_certificates(folder).items()}
    options["node_certificate"], options["node_key"] = folder / "stranger.pem", folder / "stranger.key"
    aurora = Application()
    with serving(folder, **options), application(folder / "aurora.sock", aurora):
        assert send(folder, AURORA, "/a")[0] == 502
    assert not aurora.requests
