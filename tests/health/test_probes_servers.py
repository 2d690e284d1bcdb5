"""Probes against real servers: Redis, memcached, an S3 server over HTTP, and OpenSSL's."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests.health.certificates import Pair, make
from tests.servers.accounts import OTHERS
from tests.servers.processes import accepts, free_port, running, wait_for
from tests.servers.redis import RedisServer, running_redis
from tests.servers.s3 import OPERATOR, AccessKeys, S3Server
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.backends import bucket_mark, generations
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import Probe, failed, passed, warned
from wagtail_multihost.health.probes.cache import CacheProbe
from wagtail_multihost.health.probes.search import SearchProbe
from wagtail_multihost.health.probes.storage import StorageProbe
from wagtail_multihost.health.probes.tls import TlsProbe
from wagtail_multihost.health.report import ProbeEntry
from wagtail_multihost.health.sampler import Sampler, run_once
from wagtail_multihost.health.status import Status
from wagtail_multihost.running import Running
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import StorageSpec

pytestmark = pytest.mark.servers

MEASURES = 300
BUCKET = "aviary--aurora"
REDIS_BACKENDS = (
    "django.core.cache.backends.redis.RedisCache",
    "wagtail_multihost.backends.cache.SiteRedisCache",
    "wagtail_multihost.backends.django_redis.SiteDjangoRedisCache",
)

Become = Callable[..., None]


def measured(probe: Probe) -> tuple[Any, ...]:
    """Return what a probe finds in a thread of its own, as in the sampler."""
    (result,) = run_once([ProbeEntry("probe", probe)], (), HealthOptions()).results
    return result.outcomes


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other accounts may pass."""
    path = Path(tempfile.mkdtemp(prefix="mh-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Make this the process of the site aurora."""

    def make(**changes: Any) -> None:
        applied = Running(platform=a_platform(), site=a_site(**changes))
        monkeypatch.setattr("wagtail_multihost.running._current", applied)
        monkeypatch.setattr(generations, "_known", {})
        monkeypatch.setattr(bucket_mark, "_next", {})

    return make


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    folder.chmod(0o755)
    try:
        with running_redis(folder / "redis") as server:
            yield server
    finally:
        shutil.rmtree(folder)


def redis_cache(server: RedisServer, backend: str, **changes: Any) -> Any:
    address = f"redis://:{server.password}@127.0.0.1:{server.port}/0"
    stated = {"BACKEND": backend, "LOCATION": address, "KEY_PREFIX": "aviary:aurora", **changes}
    return override_settings(CACHES={"default": stated})


@pytest.mark.parametrize("backend", REDIS_BACKENDS)
def test_sampled_redis_has_no_more_connections_than_before(redis: RedisServer, backend: str, become: Become) -> None:
    """Hundreds of measures by the sampler leave the number of the server's clients as it was, and no key."""
    become()
    done = threading.Semaphore(0)
    with redis_cache(redis, backend), redis.client() as operator:
        # django-redis has one pool for the whole process, so its first connection is not counted.
        assert measured(CacheProbe(timeout=30)) == (passed(),)
        before = operator.info("clients")["connected_clients"]
        sampler = Sampler([ProbeEntry("cache", Rapid(done=done))], (), HealthOptions())
        sampler.ask()
        try:
            for count in range(MEASURES):
                assert done.acquire(timeout=60), f"The sampler ended after {count} measures."
        finally:
            sampler.stop()
        wait_for(lambda: operator.info("clients")["connected_clients"] <= before, "the connections to close")
    assert not [key for key in redis.all_keys() if "multihost-probe" in key]


class Rapid(CacheProbe):
    """A probe of the cache that is due again at once, and tells of each pass."""

    def __init__(self, done: threading.Semaphore) -> None:
        super().__init__(timeout=30, interval=0.001, retry=0.001)
        object.__setattr__(self, "done", done)

    def measure(self) -> Iterator[Any]:
        (outcome,) = super().measure()
        if outcome == passed():
            self.done.release()
        yield outcome


def test_each_measure_of_redis_closes_its_connection(redis: RedisServer) -> None:
    """Not even one connection waits for the collection of garbage."""
    with redis_cache(redis, REDIS_BACKENDS[0]), redis.client() as operator:
        before = operator.info("clients")["connected_clients"]
        for _ in range(5):
            assert list(CacheProbe(timeout=30).measure()) == [passed()]
        wait_for(lambda: operator.info("clients")["connected_clients"] <= before, "the connections to close", 20)


def test_redis_that_refuses_is_unreachable(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password is in the outcome as a code only, without the server's address."""
    address = f"redis://:hunter2@127.0.0.1:{redis.port}/0"
    with redis_cache(redis, REDIS_BACKENDS[0], LOCATION=address):
        assert measured(CacheProbe(timeout=30)) == (failed("unreachable"),)
    assert "hunter2" not in caplog.text


def test_redis_of_another_site_is_foreign(redis: RedisServer, become: Become) -> None:
    """A prefix that another site has marked fails."""
    with redis_cache(redis, REDIS_BACKENDS[1], KEY_PREFIX="aviary:shared"):
        become()
        assert measured(CacheProbe(timeout=30)) == (passed(),)
        become(uid="0d3c5b3a-7a1b-5c8e-9b1f-2d3c4b5a6978")
        assert measured(CacheProbe(timeout=30)) == (failed("foreign_cache"),)


def test_memcached_keeps_no_connection(folder: Path, become: Become) -> None:
    """The site's cache on memcached is measured, and what was opened for it is closed."""
    become()
    address = OTHERS.folder(folder / "memcached", 0o700) / "memcached.sock"
    with running(OTHERS.command("memcached", "-s", address), folder / "memcached.log"):
        wait_for(lambda: accepts(address), "memcached")
        stated = {
            "BACKEND": "wagtail_multihost.backends.memcached.SitePyMemcacheCache",
            "LOCATION": f"unix:{address}",
            "KEY_PREFIX": "aviary:aurora",
        }
        with override_settings(CACHES={"default": stated}):
            for _ in range(10):
                assert measured(CacheProbe(timeout=30)) == (passed(),)
        # The connection that asks counts itself.
        wait_for(lambda: memcached_clients(address) <= 2, "the connections to close", 20)


def memcached_clients(address: Path) -> int:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(address))
        client.sendall(b"stats\r\n")
        answer = b""
        while not answer.endswith(b"END\r\n"):
            answer += client.recv(65536)
    (line,) = [line for line in answer.splitlines() if line.startswith(b"STAT curr_connections ")]
    return int(line.split()[-1])


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Run moto in this environment, whose files other accounts may not be able to read."""
    port = free_port()
    server = S3Server(f"http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder / "s3.log", cwd=folder):
        wait_for(server.is_up, "the S3 server")
        server.add_bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, become: Become) -> Iterator[Callable[..., None]]:
    """Make this a process whose site has the bucket, with ``keys``."""

    def use(bucket: str = BUCKET, keys: AccessKeys = OPERATOR, endpoint: str = "") -> None:
        stated = {"backend": "s3", "bucket": bucket, "endpoint": endpoint or s3.endpoint, "region": "us-east-1"}
        own = {"access_key": Secret(keys.access_key), "secret_key": Secret(keys.secret_key)}
        become(storage=StorageSpec(**stated, **own))

    backend = {"BACKEND": "wagtail_multihost.backends.storage.SiteS3Storage"}
    with override_settings(STORAGES={"default": {**backend, "OPTIONS": {"site": "aurora", "location": "media"}}}):
        yield use


def stored(s3: S3Server) -> list[str]:
    return [name for name in s3.names(BUCKET) if name != bucket_mark.NAME]


PATIENT = StorageProbe(timeout=60)
WRITING = StorageProbe(timeout=60, write=True)


def test_bucket_is_asked_and_left_as_it_is(s3: S3Server, bucket: Callable[..., None]) -> None:
    """A bucket that answers passes, without an object more."""
    bucket()
    assert measured(PATIENT) == (passed(),)
    assert stored(s3) == []


def test_bucket_is_written_and_left_as_it_is(s3: S3Server, bucket: Callable[..., None]) -> None:
    """What is written is read, and removed."""
    bucket()
    assert measured(WRITING) == (passed(),)
    assert stored(s3) == []


def test_bucket_that_is_missing_fails(bucket: Callable[..., None]) -> None:
    """The server answers 404 for objects of a bucket that it does not have, too."""
    bucket("aviary--gone")
    assert measured(PATIENT) == (failed("bucket_missing"),)


def test_bucket_without_a_server_fails(bucket: Callable[..., None]) -> None:
    """A port that nobody listens on is given up; the outcome has no address."""
    bucket(endpoint=f"http://127.0.0.1:{free_port()}")
    outcomes = measured(PATIENT)
    assert outcomes == (failed("unreachable"),)
    assert "127.0.0.1" not in repr(outcomes)


def test_known_object_must_be_in_the_bucket(s3: S3Server, bucket: Callable[..., None]) -> None:
    """The name is that which the site uses, without the folder in the bucket."""
    bucket()
    probe = StorageProbe(timeout=60, known="logo.svg")
    assert measured(probe) == (failed("missing"),)
    with s3.client() as client:
        client.put_object(Bucket=BUCKET, Key="media/logo.svg", Body=b"<svg/>")
        assert measured(probe) == (passed(),)
        client.delete_object(Bucket=BUCKET, Key="media/logo.svg")


def test_bucket_of_another_site_is_foreign(s3: S3Server, bucket: Callable[..., None]) -> None:
    """The mark of another site fails, before anything is written."""
    s3.add_bucket("aviary--borealis")
    mark = {"platform": "aviary", "environment": "production", "uid": "0d3c5b3a-7a1b-5c8e-9b1f-2d3c4b5a6978"}
    with s3.client() as client:
        client.put_object(Bucket="aviary--borealis", Key=bucket_mark.NAME, Body=json.dumps(mark).encode())
    bucket("aviary--borealis")
    assert measured(WRITING) == (failed("foreign_storage"),)
    assert s3.names("aviary--borealis") == [bucket_mark.NAME]


ALLOWED = ("s3:ListBucket", "s3:GetObject")


def test_bucket_obeys_policies(tmp_path: Path, bucket: Callable[..., None]) -> None:
    """Wrong keys, a user who may not write and one who may not remove are told apart."""
    with running_s3(tmp_path) as s3:
        reader, writer = restricted(s3, "reader", *ALLOWED), restricted(s3, "writer", *ALLOWED, "s3:PutObject")
        s3.enforce_policies()
        found = {}
        for name, keys in {"reader": reader, "writer": writer, "wrong": AccessKeys("AKIAHUNTER2", "hunter3")}.items():
            bucket(keys=keys, endpoint=s3.endpoint)
            found[name] = measured(WRITING)
    assert found == {
        "reader": (failed("not_writable"),),
        "writer": (warned("not_deleted"),),
        "wrong": (failed("unreachable"),),
    }


def restricted(s3: S3Server, name: str, *actions: str) -> AccessKeys:
    resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    keys = s3.add_user(name, BUCKET)
    with s3.client("iam") as iam:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="own-bucket", PolicyDocument=policy)
    return keys


NAME = "aurora.example.org"


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make("The authority of the tests", 365)


@pytest.fixture
def tls(folder: Path, authority: Pair) -> Iterator[Callable[..., str]]:
    """Start an OpenSSL server with a certificate; return its address."""
    (folder / "ca.pem").write_bytes(authority.pem)
    with contextlib.ExitStack() as servers:

        def serve(pair: Pair) -> str:
            name, port = f"server-{len(os.listdir(folder))}", free_port()
            path = pair.write(folder, name)
            command = ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}"]
            command += ["-cert", path, "-key", path.with_suffix(".key")]
            servers.enter_context(running(command, folder / f"{name}.log"))
            wait_for(lambda: listens(port), "the TLS server")
            return f"127.0.0.1:{port}"

        yield serve


def listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 10):
        return True
    return False


def certified(address: str, ca_file: Path, hostname: str = NAME) -> Any:
    options = {"hostnames": [hostname], "address": address, "ca_file": str(ca_file)}
    (outcome,) = measured(TlsProbe(**options, timeout=60, connect_timeout=30))
    assert outcome.subject == hostname
    return outcome


@pytest.mark.parametrize(
    ("days", "status", "code"),
    [(90, Status.PASS, "ok"), (20, Status.WARN, "expires_soon"), (3, Status.FAIL, "expires_soon")],
)
def test_days_of_a_server_s_certificate_are_told(
    tls: Callable[..., str], folder: Path, authority: Pair, days: int, status: Status, code: str
) -> None:
    """The server is asked for the hostname, at another address."""
    outcome = certified(tls(make(NAME, days, authority)), folder / "ca.pem")
    assert (outcome.status, outcome.code, outcome.unit) == (status, code, "days")
    assert outcome.value == pytest.approx(days, abs=0.2)


def test_certificate_that_clients_refuse_fails(tls: Callable[..., str], folder: Path, authority: Pair) -> None:
    """Each reason has its code, and none of the outcomes has the address."""
    good, stranger = make(NAME, 90, authority), make("Somebody else", 90)
    addresses = {
        "expired": tls(make(NAME, -1, authority)),
        "not_yet_valid": tls(make(NAME, 90, authority, starts=1)),
        "untrusted": tls(make(NAME, 90, stranger)),
        "name_mismatch": tls(good),
    }
    found = {}
    for code, address in addresses.items():
        hostname = "borealis.example.org" if code == "name_mismatch" else NAME
        outcome = certified(address, folder / "ca.pem", hostname)
        assert "127.0.0.1" not in repr(outcome)
        found[code] = outcome
    assert found == {
        code: failed(code, subject="borealis.example.org" if code == "name_mismatch" else NAME) for code in addresses
    }


def test_server_that_does_not_speak_tls_is_unreachable(folder: Path, authority: Pair) -> None:
    """Whoever accepts and says nothing is given up after the timeout of the connection."""
    (folder / "ca.pem").write_bytes(authority.pem)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {"hostnames": [NAME], "address": f"127.0.0.1:{silent.getsockname()[1]}", "connect_timeout": 0.2}
        probe = TlsProbe(**options, ca_file=str(folder / "ca.pem"), timeout=60)
        assert measured(probe) == (failed("unreachable", subject=NAME),)


class Elastic(BaseHTTPRequestHandler):
    """Stands for an Elasticsearch with one index: only what the client asks for is answered."""

    status: int | None = None
    asked: list[str] = []

    def do_HEAD(self) -> None:
        Elastic.asked.append(self.path)
        found = self.path.startswith("/aviary__aurora__wagtailcore_page")
        self.send_response(Elastic.status or (200 if found else 404))
        # https://www.elastic.co/docs/reference/elasticsearch/clients: clients refuse other products.
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def elastic(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Elastic, "status", None)
    monkeypatch.setattr(Elastic, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Elastic) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://user:hunter2@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("prefix", "status", "outcome"),
    [
        ("aviary__aurora__", None, passed(subject="default")),
        ("aviary__borealis__", None, failed("index_missing", subject="default")),
        ("aviary__aurora__", 401, failed("unreachable", subject="default")),
        ("aviary__aurora__", 503, failed("unreachable", subject="default")),
    ],
)
def test_client_of_elasticsearch_asks_for_the_index(
    elastic: str, prefix: str, status: int | None, outcome: Any
) -> None:
    """Wagtail's backend and its real client ask a stand-in server for the site's own index."""
    Elastic.status = status
    stated = {"BACKEND": "wagtail.search.backends.elasticsearch8", "URLS": [elastic], "INDEX_PREFIX": prefix}
    with override_settings(WAGTAILSEARCH_BACKENDS={"default": stated}):
        assert measured(SearchProbe(timeout=60, request_timeout=30)) == (outcome,)
    assert f"/{prefix}wagtailcore_page" in Elastic.asked[0]
