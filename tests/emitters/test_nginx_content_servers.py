"""What nginx does with the content: files, documents, kept pages. Real nginx, applications that may be hostile."""

from __future__ import annotations

import contextlib
import getpass
import gzip
import http.client
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, written
from tests.servers.applications import Answer, application
from tests.servers.processes import accepts, running, wait_for
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

pytestmark = pytest.mark.servers

AURORA, BOREALIS = "aurora.example.org", "borealis.example.org"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets, which nginx's own account may enter."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@dataclass
class Application:
    """An application that counts what it is asked for, and answers as ``answers`` say, by path."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    requests: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, variables: dict[str, str]) -> Answer:
        path = variables["REQUEST_URI"]
        self.seen[path] += 1
        self.requests.append(variables)
        status, headers, body = self.answers.get(variables["PATH_INFO"], ("200 OK", {}, ""))
        return status, headers, body or f"{variables['HTTP_HOST']} {path} {self.seen[path]}"


def local_plan(folder: Path, *sites: SiteSpec, options: Mapping[str, Any] | None = None, **platform: Any) -> Plan:
    """Return a plan whose nginx keeps everything in ``folder`` and listens on the socket ``http.sock`` there."""
    for name in ("logs", "temp", "conf", "static"):
        (folder / name).mkdir()
    nginx = NginxOptions(
        **{
            "http": (f"unix:{folder}/http.sock",),
            "https": (f"unix:{folder}/https.sock",),
            "user": getpass.getuser(),
            "pid": folder / "nginx.pid",
            "logs": folder / "logs",
            "temp": folder / "temp",
            "cache_path": folder / "cache",
            "purgers": ("0.0.0.0/0",),
            **(options or {}),
        }
    )
    return make_plan(
        *sites,
        directory=folder / "conf",
        platform=make_platform(nginx=nginx, sockets=folder, data=folder / "data", **platform),
        codebase=make_codebase(static_root=folder / "static"),
    )


@contextlib.contextmanager
def serving(plan: Plan, folder: Path, **answers: Callable[[dict[str, str]], Answer]) -> Iterator[None]:
    """Run the plan's nginx, and the applications of its sites."""
    with contextlib.ExitStack() as stack:
        for site, answer in answers.items():
            stack.enter_context(application(folder / f"{site}.sock", answer))
        conf = written("nginx", plan) / "nginx/nginx.conf"
        stack.enter_context(running(["nginx", "-c", conf, "-g", "daemon off;"], folder / "output.log"))
        wait_for(lambda: accepts(folder / "http.sock"), "nginx")
        yield


def send(
    folder: Path, host: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return status, headers and body of the answer to a request over the socket ``http.sock``."""
    connection = http.client.HTTPConnection(host)
    with socket.socket(socket.AF_UNIX) as connection.sock:
        connection.sock.settimeout(20)
        connection.sock.connect(f"{folder}/http.sock")
        connection.request(method, path, headers={"Host": host, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def body(folder: Path, host: str, path: str, headers: Mapping[str, str] | None = None) -> str:
    return send(folder, host, path, headers)[2].decode()


def make_file(folder: Path, site: str, name: str, text: str) -> Path:
    """Write an upload of the site."""
    path = folder / "data/sites" / site / "media" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def own_files(folder: Path) -> list[SiteSpec]:
    return [make_site(site, data=folder / "data") for site in ("aurora", "borealis")]


def test_static_files_are_kept_for_good_only_by_the_hash_in_their_names(folder: Path) -> None:
    """A name with a hash of twelve digits is immutable, any other is asked for again, and a missing file is no file."""
    plan = local_plan(folder, make_site("aurora"))
    names = ("a.0123456789ab.css", "a.css", "a.0123456789.css", "0123456789ab.css", "a.0123456789AB.css")
    for name in names:
        (folder / "static" / name).write_text("text")
    with serving(plan, folder):
        kept = {name: send(folder, AURORA, f"/static/{name}")[1]["Cache-Control"] for name in names}
        status, headers, _ = send(folder, AURORA, "/static/b.0123456789ab.css")
    assert kept == {**dict.fromkeys(names), names[0]: "public, max-age=31536000, immutable"}
    assert (status, headers["Cache-Control"], headers["X-Content-Type-Options"]) == (404, None, "nosniff")


@pytest.mark.parametrize(("is_on", "text"), [(True, "packed"), (False, "plain")])
def test_static_files_that_are_packed_already_are_sent_so_where_that_is_on(
    folder: Path, is_on: bool, text: str
) -> None:
    """With gzip_static the file beside, and without it the file itself, is what a browser gets."""
    plan = local_plan(folder, make_site("aurora"), options={"gzip_static": is_on})
    (folder / "static/a.txt").write_text("plain")
    (folder / "static/a.txt.gz").write_bytes(gzip.compress(b"packed"))
    with serving(plan, folder):
        _, headers, found = send(folder, AURORA, "/static/a.txt", {"Accept-Encoding": "gzip"})
    assert (gzip.decompress(found) if headers["Content-Encoding"] else found).decode() == text


def test_uploads_behind_a_link_are_served_until_it_changes(folder: Path) -> None:
    """
    With ``current`` of a deploy tool in the path, nginx serves the folder where the link leads, and follows no link
    itself: after a release it serves the old one, until files are emitted again.
    """
    for release in ("1", "2"):
        (folder / f"releases/{release}/media").mkdir(parents=True)
        (folder / f"releases/{release}/media/a.txt").write_text(release)
    (folder / "current").symlink_to("releases/1")
    site = make_site("aurora", storage=StorageSpec(backend="files", path=folder / "current/media"))
    plan = local_plan(folder, site)
    with serving(plan, folder):
        assert send(folder, AURORA, "/media/a.txt")[::2] == (200, b"1")
        (folder / "current").unlink()
        (folder / "current").symlink_to("releases/2")
        assert send(folder, AURORA, "/media/a.txt")[::2] == (200, b"1")
        (folder / "releases/1/media/b.txt").symlink_to(folder / "releases/2/media/a.txt")
        assert send(folder, AURORA, "/media/b.txt")[0] == 403
    (folder / "http.sock").unlink(missing_ok=True)
    with serving(plan, folder):
        assert send(folder, AURORA, "/media/a.txt")[::2] == (200, b"2")


def accel(path: str, **headers: str) -> Answer:
    return "200 OK", {"X-Accel-Redirect": path, "Content-Type": "text/plain", **headers}, "empty"


DOCUMENTS = ("a b.pdf", "é√.txt", "50%.txt", "x;y&z=1.txt", "a+b#c.txt", "a?b.txt", "%2e%2e", "documents/d.txt")


def test_document_with_any_name_is_sent_from_the_folder_of_its_site(folder: Path) -> None:
    """The address that the backend gives a file is the one under which nginx finds it, with Wagtail's policy kept."""
    policy = {"Content-Security-Policy": "default-src 'none'", "Content-Disposition": "attachment"}
    for name in DOCUMENTS:
        make_file(folder, "aurora", name, f"document {name}")
        make_file(folder, "borealis", name, "neighbour's")
    aurora = Application(
        {f"/{place}": accel(f"/-/files/{quote(name)}", **policy) for place, name in enumerate(DOCUMENTS)}
    )
    with serving(local_plan(folder, *own_files(folder)), folder, aurora=aurora):
        answers = [send(folder, AURORA, f"/{place}") for place in range(len(DOCUMENTS))]
    for name, (status, headers, text) in zip(DOCUMENTS, answers, strict=True):
        assert (status, text) == (200, f"document {name}".encode())
        assert {key: headers[key] for key in policy} == policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Accel-Redirect"] is None


def test_visitors_do_not_reach_what_only_applications_may_name(folder: Path) -> None:
    """The location of documents, and those of purges, are closed to whoever asks for them, however it is spelled."""
    make_file(folder, "aurora", "a.txt", "document")
    aurora = Application()
    plan = local_plan(folder, *own_files(folder), options={"cache": 60})
    paths = [
        "/-/files/a.txt",
        "/%2d/files/a.txt",
        "//-/files/a.txt",
        "/x/../-/files/a.txt",
        "/-/./files/a.txt",
        "/-/purge",
        "/-/refresh",
    ]
    with serving(plan, folder, aurora=aurora):
        found = {path: send(folder, AURORA, path)[0] for path in paths}
    assert set(found.values()) == {404}
    assert not aurora.seen


def test_hostile_application_gets_no_file_but_its_own(folder: Path) -> None:
    """Whatever internal address an application names, through links and dots too, it is no neighbour's file."""
    secret = make_file(folder, "borealis", "secret.txt", "neighbour's")
    link = make_file(folder, "aurora", "a.txt", "own").parent / "link.txt"
    link.symlink_to(secret)
    (link.parent / "folder").symlink_to(secret.parent)
    targets = [
        "/-/files/link.txt",
        "/-/files/folder/secret.txt",
        "/-/files/../../borealis/media/secret.txt",
        "/-/files/..%2f..%2fborealis/media/secret.txt",
        "/-/files/%2e%2e/%2e%2e/borealis/media/secret.txt",
        f"/-/files/{secret}",
        "/-/files//../../../borealis/media/secret.txt",
        "/-/files/%00/secret.txt",
        f"http://{BOREALIS}/media/secret.txt",
        f"//{BOREALIS}/media/secret.txt",
        "/media/folder/secret.txt",
        "/-/bucket/secret.txt",
        "/-/purge",
        "/-/refresh",
        "/-/generation",
        "/-/live",
        "@any",
        "/static/../data/sites/borealis/media/secret.txt",
    ]
    aurora = Application({f"/{number}": accel(target) for number, target in enumerate(targets)})
    aurora.answers["/own"] = accel("/-/files/a.txt")
    plan = local_plan(folder, *own_files(folder), options={"cache": 60})
    with serving(plan, folder, aurora=aurora, borealis=Application()):
        found = {target: send(folder, AURORA, f"/{number}") for number, target in enumerate(targets)}
        assert body(folder, AURORA, "/own") == "own"
        assert body(folder, BOREALIS, "/") == f"{BOREALIS} / 1"
    for target, (_, _, text) in found.items():
        assert b"neighbour" not in text and BOREALIS.encode() not in text, target


def test_page_is_kept_for_visitors_without_a_session_only(folder: Path) -> None:
    """A kept page goes to visitors without a cookie of the site; others ask the application, and leave nothing."""
    aurora = Application()
    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=aurora):
        for headers in (
            {"Cookie": "__Host-sessionid_aurora=1"},
            {"Cookie": "x=1; csrftoken_aurora =2"},
            {"Authorization": "Basic eA=="},
        ):
            before = aurora.seen["/a"]
            assert body(folder, AURORA, "/a", headers) == f"{AURORA} /a {before + 1}"
        assert [body(folder, AURORA, "/a", {"Cookie": "_ga=1; sessionid_other=2"}) for _ in range(2)] == [
            f"{AURORA} /a 4"
        ] * 2
        assert body(folder, AURORA, "/a", {"Cookie": "sessionid_aurora=1"}) == f"{AURORA} /a 5"
        assert body(folder, AURORA, "/a") == f"{AURORA} /a 4"


KEPT: tuple[dict[str, str], ...] = ({}, {"Vary": "Cookie"}, {"Cache-Control": "max-age=60"})
NOT_KEPT: tuple[dict[str, str], ...] = (
    {"Cache-Control": "private"},
    {"Cache-Control": "no-store"},
    {"Cache-Control": "max-age=0"},
    {"Set-Cookie": "a=1"},
    {"Vary": "*"},
)


def test_page_is_kept_unless_the_application_says_no(folder: Path) -> None:
    """What sets a cookie, or says that it is private, is asked for again."""
    pages = {f"/{place}": headers for place, headers in enumerate(KEPT + NOT_KEPT)}
    aurora = Application({path: ("200 OK", headers, "") for path, headers in pages.items()})
    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=aurora):
        shown = {path: [body(folder, AURORA, path) for _ in range(2)] for path in pages}
    kept = [headers for path, headers in pages.items() if shown[path][0] == shown[path][1]]
    assert all(texts[0].startswith(f"{AURORA} {path} ") for path, texts in shown.items())
    assert kept == list(KEPT)


def test_page_that_depends_on_cookies_is_not_kept_for_a_visitor_who_has_one(folder: Path) -> None:
    """A visitor's own variant of a page is not stored: it would be of use to nobody else."""
    aurora = Application({"/a": ("200 OK", {"Vary": "Accept, Cookie"}, "")})
    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=aurora):
        own = [body(folder, AURORA, "/a", {"Cookie": "theme=dark"}) for _ in range(2)]
        assert own == [f"{AURORA} /a 1", f"{AURORA} /a 2"]
        assert len([path for path in (folder / "cache-pages").rglob("*") if path.is_file()]) == 0


def test_kept_pages_are_apart_by_site_host_address_and_method(folder: Path) -> None:
    """No site, host, address or method gets the page of another."""
    sites = make_site("aurora", aliases=("aurora.example.net",)), make_site("borealis")
    requests = [(AURORA, "/"), (BOREALIS, "/"), ("aurora.example.net", "/"), (AURORA, "/?a=1"), (AURORA, "/%2F")]
    with serving(
        local_plan(folder, *sites, options={"cache": 60}), folder, aurora=Application(), borealis=Application()
    ):
        assert send(folder, AURORA, "/", method="HEAD")[2] == b""
        for _ in range(2):
            for host, path in requests:
                assert body(folder, host, path).startswith(f"{host} {path} ")


def test_site_states_its_own_time_and_none(folder: Path) -> None:
    """A site may keep pages where others do not, and not where others do."""
    sites = make_site("aurora", nginx=(("cache", 0),)), make_site("borealis", nginx=(("cache", 30),))
    with serving(
        local_plan(folder, *sites, options={"cache": 60}), folder, aurora=Application(), borealis=Application()
    ):
        assert [body(folder, AURORA, "/a") for _ in range(2)] == [f"{AURORA} /a 1", f"{AURORA} /a 2"]
        assert [body(folder, BOREALIS, "/a") for _ in range(2)] == [f"{BOREALIS} /a 1"] * 2


@pytest.mark.parametrize("path", ["/a", "/a%20b?x=1&y=%20", "/%C3%A9/", "/a%3Fb"])
def test_purge_fetches_the_page_anew_behind_its_answer(folder: Path, path: str) -> None:
    """After a purge visitors get the new page, of the same address, and no other page is asked for."""
    aurora = Application()
    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=aurora):
        assert body(folder, AURORA, path) == f"{AURORA} {path} 1"
        assert send(folder, AURORA, path, method="PURGE")[0] == 200
        wait_for(lambda: body(folder, AURORA, path) == f"{AURORA} {path} 2", "the new page")
    assert [(request["REQUEST_METHOD"], request["PATH_INFO"]) for request in aurora.requests] == [
        ("GET", aurora.requests[0]["PATH_INFO"])
    ] * 2


def test_purge_lets_a_page_that_is_gone_go(folder: Path) -> None:
    """A page that the application no longer has is no longer shown either."""
    aurora = Application()
    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=aurora):
        assert send(folder, AURORA, "/a")[0] == 200
        aurora.answers["/a"] = ("404 Not Found", {}, "gone")
        assert send(folder, AURORA, "/a")[0] == 200
        send(folder, AURORA, "/a", method="PURGE")
        wait_for(lambda: send(folder, AURORA, "/a")[0] == 404, "the page to go")


def test_purge_is_answered_while_the_only_process_of_the_site_waits_for_it(folder: Path) -> None:
    """The process that purges need not be there to make the new page."""
    process, aurora, statuses = threading.Lock(), Application(), []

    def answer(variables: dict[str, str]) -> Answer:
        with process:
            if variables["PATH_INFO"] == "/publish":
                statuses.append(send(folder, AURORA, "/page", method="PURGE")[0])
            return aurora(variables)

    with serving(local_plan(folder, make_site("aurora"), options={"cache": 60}), folder, aurora=answer):
        assert send(folder, AURORA, "/publish", method="POST")[0] == 200
        wait_for(lambda: aurora.seen["/page"], "the page")
    assert statuses == [200]
    assert list(aurora.seen) == ["/publish", "/page"]


def test_purge_from_anybody_else_is_refused(folder: Path) -> None:
    """Whoever is not a purger changes nothing, and the application is not asked."""
    aurora = Application()
    plan = local_plan(folder, make_site("aurora"), options={"cache": 60, "purgers": ("10.0.0.1",)})
    with serving(plan, folder, aurora=aurora):
        assert body(folder, AURORA, "/a") == f"{AURORA} /a 1"
        assert send(folder, AURORA, "/a", {"X-Forwarded-For": "10.0.0.1"}, method="PURGE")[0] == 405
        assert body(folder, AURORA, "/a") == f"{AURORA} /a 1"
    assert aurora.seen == {"/a": 1}


def test_hostile_application_cannot_put_a_page_under_a_neighbours_key(folder: Path) -> None:
    """Pages under another host's name, or with commands to nginx, are the site's own."""
    aurora, borealis = Application(), Application()
    aurora.answers["/a"] = ("200 OK", {"X-Accel-Expires": "9999", "Host": BOREALIS}, "forged")
    plan = local_plan(folder, make_site("aurora"), make_site("borealis"), options={"cache": 60})
    with serving(plan, folder, aurora=aurora, borealis=borealis):
        assert body(folder, AURORA, "/a", {"X-Forwarded-Host": BOREALIS}) == "forged"
        assert body(folder, AURORA, f"http://{BOREALIS}/a").startswith(BOREALIS)
        assert body(folder, BOREALIS, "/a") == f"{BOREALIS} /a 1"
