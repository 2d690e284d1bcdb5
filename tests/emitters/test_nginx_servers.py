"""nginx's own word on the emitted files."""

from __future__ import annotations

import getpass
import http.client
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.emitters.strategies import hostnames, paths, segments, site_ids
from tests.servers.processes import accepts, free_port, running, wait_for
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.nginx.hosts import bucket_size
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.tls import TlsSpec

pytestmark = pytest.mark.servers

NAMES = ("aurora.example.org", "www.aurora.example.org")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        yield Path(name)


def local_plan(folder: Path, *sites: SiteSpec, conf: str = "conf", https: str = "", **options: Any) -> Plan:
    """Return a plan whose nginx keeps everything in ``folder`` and listens on the socket ``http.sock`` there."""
    for name in ("logs", "temp", conf):
        (folder / name).mkdir()
    nginx = NginxOptions(
        http=(f"unix:{folder}/http.sock",),
        https=(https or "127.0.0.1:8443",),
        user=getpass.getuser(),
        pid=folder / "nginx.pid",
        logs=folder / "logs",
        temp=folder / "temp",
    )
    codebase = make_codebase(static_root=options.pop("static_root", Path("/srv/static")))
    platform = make_platform(nginx=nginx, **options)
    return make_plan(*sites, directory=folder / conf, platform=platform, codebase=codebase)


def verdict(plan: Plan) -> subprocess.CompletedProcess[str]:
    """Write the plan's files and return what ``nginx -t`` says about them."""
    conf = written("nginx", plan) / "nginx/nginx.conf"
    return subprocess.run(["nginx", "-t", "-c", conf], capture_output=True, text=True, timeout=30, check=False)


def parsed_maps(plan: Plan) -> dict[str, dict[str | None, str]]:
    """Return nginx's maps by the variable that they set, as crossplane reads the written files; None is the default."""
    import crossplane

    payload = crossplane.parse(str(plan.directory / "nginx/nginx.conf"), combine=True, comments=False)
    assert payload["status"] == "ok", payload["errors"]
    http_block = next(item["block"] for item in payload["config"][0]["parsed"] if item["directive"] == "http")
    maps = [item for item in http_block if item["directive"] == "map"]
    return {item["args"][1].removeprefix("$multihost_"): entries(item["block"]) for item in maps}


def entries(block: list[dict[str, Any]]) -> dict[str | None, str]:
    # crossplane leaves a doubled backslash doubled. A key's first one is nginx's way to say that it is no keyword.
    table = {
        None if item["directive"] == "default" else item["directive"].removeprefix("\\\\"): item["args"][0].replace(
            "\\\\", "\\"
        )
        for item in block
    }
    assert len(table) == len(block)
    return table


@st.composite
def site_lists(draw: st.DrawFn) -> list[SiteSpec]:
    """Return one to three sites with names, certificates and folders of all accepted kinds."""
    ids = draw(st.lists(site_ids, min_size=1, max_size=3, unique=True))
    names = draw(st.lists(hostnames, min_size=2 * len(ids), max_size=4 * len(ids), unique=True))
    sites = []
    for index, site in enumerate(ids):
        own = names[index :: len(ids)]
        cut = draw(st.integers(1, len(own)))
        template = draw(paths("{}"))
        tls = TlsSpec(certificate=f"{template}/{{hostname}}.pem", key=f"{template}/{{site}}/{{hostname}}.key")
        sites.append(
            make_site(
                site,
                hostnames=tuple(own[:cut]),
                aliases=tuple(own[cut:]),
                socket=draw(st.sampled_from(["", f"{site}-2.sock"])),
                storage=StorageSpec(backend="files", path=Path(draw(paths()))),
                tls=draw(st.sampled_from([None, tls])),
            )
        )
    return sites


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sites=site_lists(), conf=segments("\\*?["), data=paths(), sockets=paths(":"), static=paths())
def test_nginx_accepts_every_accepted_value_and_reads_the_same(
    sites: list[SiteSpec], conf: str, data: Path, sockets: Path, static: Path
) -> None:
    """nginx accepts the files of any accepted registry, and the maps in them say what the specs say."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        values = {"data": Path(data), "sockets": Path(sockets), "static_root": Path(static)}
        plan = local_plan(Path(name), *sites, conf=f"c{conf}", **values)
        result = verdict(plan)
        assert (result.returncode, "[warn]" in result.stderr) == (0, False), result.stderr
        maps = parsed_maps(plan)
    wanted = wanted_maps(sites, str(data))
    assert {name: maps.get(name) for name in wanted} == wanted


def wanted_maps(sites: list[SiteSpec], data: str) -> dict[str, dict[str | None, str]]:
    """Return what the maps of ``sites`` must say."""
    hosts = {host: site for site in sites for host in site.hosts}
    secure = {host: (site.tls, site.id) for host, site in hosts.items() if site.tls}
    wanted: dict[str, dict[str | None, str]] = {
        "site": {None: "", **{host: site.id for host, site in hosts.items()}},
        "canonical": {
            None: "",
            **{host: f"https://{site.canonical}" for site in sites for host in site.hostnames[1:]},
        },
        "socket": {
            None: "$multihost_site.sock",
            **{site.id: site.names.socket for site in sites if site.names.socket != f"{site.id}.sock"},
        },
        "media": {
            None: f"{data}/sites/$multihost_site/media",
            **{site.id: str(site.storage.path) for site in sites},
        },
        "to_https": {None: "", **dict.fromkeys(secure, "on")},
        "is_local": {None: "$multihost_is_loopback", "unix:": "on"},
    }
    if secure:
        for name, key in (("certificate", "certificate"), ("certificate_key", "key")):
            files = {host: getattr(tls, key).format(hostname=host, site=site) for host, (tls, site) in secure.items()}
            wanted[name] = {None: "", **files}
    return wanted


@pytest.mark.parametrize("length", [46, 47, 110, 111, 237, 238, 239, 250, 253])
def test_long_hostnames_have_the_hash_size_that_nginx_needs(folder: Path, length: int) -> None:
    """Two sites with names of this length pass, and with half of the computed size (unless it is the default) fail."""
    sites = [make_site(site, hostnames=(long_name(site, length),)) for site in ("aurora", "borealis")]
    plan = local_plan(folder, *sites)
    result = verdict(plan)
    assert (result.returncode, "[warn]" in result.stderr) == (0, False), result.stderr
    size = bucket_size([site.canonical for site in sites])
    conf = plan.directory / "nginx/nginx.conf"
    assert f"hash_bucket_size {size};" in conf.read_text()
    conf.write_text(conf.read_text().replace(f"hash_bucket_size {size};", f"hash_bucket_size {size // 2};"))
    smaller = subprocess.run(["nginx", "-t", "-c", conf], capture_output=True, text=True, check=False)
    assert (smaller.returncode != 0 and "hash_bucket_size" in smaller.stderr) or size == 64


def long_name(start: str, length: int) -> str:
    """Return a hostname of exactly ``length`` characters."""
    name = f"{start}.{'.'.join(['x' * 30] * 8)}"[: length - 3].rstrip(".")
    return f"{name}{'y' * (length - 3 - len(name))}.yz"


@pytest.mark.parametrize("conf", ["a b", "é;{}#", "'\""])
def test_any_output_folder_is_included(folder: Path, conf: str) -> None:
    """A folder with blanks or quotes is still the one that is included."""
    result = verdict(local_plan(folder, make_site("aurora"), conf=conf))
    assert result.returncode == 0, result.stderr


def test_platform_without_sites_is_accepted(folder: Path) -> None:
    """nginx starts before there is a site."""
    result = verdict(local_plan(folder))
    assert result.returncode == 0, result.stderr


def test_nginx_itself_maps_hosts_to_the_values_of_their_sites(folder: Path) -> None:
    """A running nginx finds, for every host, the socket and the media folder of its site, whatever they are called."""
    odd = Path(folder, "a \"b\" \\ 'c'; {d} #é")
    sites = [
        make_site(site, socket=f"{site}-2.sock", storage=StorageSpec(backend="files", path=odd / site))
        for site in ("default", "hostnames", "include", "volatile")
    ]
    plan = local_plan(folder, *sites, make_site("aurora", data=odd), data=odd)
    maps = written("nginx", plan) / "nginx/maps.conf"
    conf = folder / "probe.conf"
    conf.write_text(
        f"daemon off; error_log {folder}/error.log; pid {folder}/nginx.pid; events {{}}\n"
        f"http {{ access_log off; include {maps}; server {{ listen unix:{folder}/http.sock;\n"
        'return 200 "$multihost_site|$multihost_socket|$multihost_media"; } }\n'
    )
    with running(["nginx", "-c", conf], folder / "output.log"):
        wait_for(lambda: accepts(folder / "http.sock"), "nginx")
        found = {host: ask(folder, host)[1] for host in [*(site.canonical for site in sites), *NAMES[:1], "x.y"]}
    assert found == {
        **{site.canonical: f"{site.id}|{site.id}-2.sock|{odd}/{site.id}" for site in sites},
        "aurora.example.org": f"aurora|aurora.sock|{odd}/sites/aurora/media",
        "x.y": f"|.sock|{odd}/sites//media",
    }


def test_media_folder_with_any_name_is_served_and_documents_are_not(folder: Path) -> None:
    """Uploads are served from a folder with any name; documents, neighbours' files and health are not."""
    media = folder / "m '\"; {é}"
    (media / "documents").mkdir(parents=True)
    (media / "a.txt").write_text("upload")
    (media / "documents/p.txt").write_text("private")
    (media / "link.txt").symlink_to("/etc/hostname")
    plan = local_plan(folder, make_site("aurora", storage=StorageSpec(backend="files", path=media)))
    with nginx(plan, folder):
        answers = {
            path: ask(folder, "aurora.example.org", path)
            for path in ("a.txt", "documents/p.txt", "../media/documents/p.txt", "link.txt", "../-/live/")
        }
    assert answers.pop("a.txt") == (200, "upload")
    assert {status for status, _ in answers.values()} <= {403, 404}


def test_unknown_hosts_get_no_answer(folder: Path) -> None:
    """A host that is no site's gets its connection closed."""
    with nginx(local_plan(folder, make_site("aurora")), folder):
        assert ask(folder, "aurora.example.org", "x")[0] == 404
        for host in ("x.example.org", "127.0.0.1", "aurora"):
            with pytest.raises(http.client.RemoteDisconnected):
                ask(folder, host)


def test_tls_serves_names_with_certificates_only(folder: Path) -> None:
    """Only a name that has a certificate gets a handshake, and after it only such a name gets an answer."""
    certificate(folder)
    tls = TlsSpec(certificate=f"{folder}/{{site}}.pem", key=f"{folder}/{{site}}.key")
    port = free_port()
    plan = local_plan(
        folder, make_site("aurora", hostnames=NAMES, tls=tls), make_site("borealis"), https=f"127.0.0.1:{port}"
    )
    with nginx(plan, folder):
        assert ask_tls(port, NAMES[0], NAMES[0], "/media/none").startswith(b"HTTP/1.1 404")
        assert b"Location: https://aurora.example.org/x" in ask_tls(port, NAMES[1], NAMES[1], "/x")
        assert b"Location: https://aurora.example.org/x" in redirect(folder, NAMES[0], "/x")
        for host in ("borealis.example.org", "x.example.org"):
            assert ask_tls(port, NAMES[0], host) == b""
            with pytest.raises(ssl.SSLError):
                ask_tls(port, host, host)


def certificate(folder: Path) -> None:
    """Make a certificate and a key for the site aurora."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", folder / "aurora.key", "-out", folder / "aurora.pem", "-days", "2", "-subj", "/CN=aurora"]
    subprocess.run([*command, *files], check=True, capture_output=True)


@contextmanager
def nginx(plan: Plan, folder: Path) -> Iterator[None]:
    """Run the plan's nginx."""
    conf = written("nginx", plan) / "nginx/nginx.conf"
    with running(["nginx", "-c", conf, "-g", "daemon off;"], folder / "output.log"):
        wait_for(lambda: accepts(folder / "http.sock"), "nginx")
        yield


def ask(folder: Path, host: str, path: str = "") -> tuple[int, str]:
    """Return status and body of ``/media/…`` of ``host``, over the socket ``http.sock``."""
    response = send(folder, host, f"/media/{path}")
    return response.status, response.read().decode()


def redirect(folder: Path, host: str, path: str) -> bytes:
    return f"Location: {send(folder, host, path).headers['Location']}".encode()


def send(folder: Path, host: str, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host or "localhost")
    with socket.socket(socket.AF_UNIX) as connection.sock:
        connection.sock.connect(f"{folder}/http.sock")
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse()


def ask_tls(port: int, name: str, host: str, path: str = "/") -> bytes:
    """Return the answer to a request for ``host`` in a TLS connection for ``name``."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: secure.recv(4096), b""))
