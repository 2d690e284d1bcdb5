"""
The whole street with real servers: what one site has, no other site can see, use or disturb.

Every test that says "not" also shows, by the same means, the case in which the answer is yes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import requests
import tomlkit
from botocore.exceptions import ClientError

from tests.servers.browser import REDIRECTS, Page
from tests.servers.editor import Editor, unique
from tests.servers.nginx import exchange, raw, status_of
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.street import CERTIFIED, LOCAL, PLAIN, SEED, SERVED, Street, keep_secret
from tests.servers.uwsgi import ask
from tests.servers.workshop import ADMIN, READER, run_all, write_registry
from wagtail_multihost.spec.keys import derive_secret_key
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

pytestmark = pytest.mark.servers

PAIRS = list(itertools.permutations(SERVED, 2))
HEALTH = ("/-/live", "/-/live/", "/-/ready", "/-/ready/")
CLOSED = {
    "unknown": ("GET / HTTP/1.1", "Host: unknown.example.org"),
    "address": ("GET / HTTP/1.1", "Host: 127.0.0.1"),
    "none": ("GET / HTTP/1.1",),
    "none-1.0": ("GET / HTTP/1.0",),
    "blank": ("GET / HTTP/1.1", "Host: "),
    "two": ("GET / HTTP/1.1", "Host: aurora.example.org", "Host: borealis.example.org"),
    "below": ("GET / HTTP/1.1", "Host: evil.aurora.example.org"),
    "beyond": ("GET / HTTP/1.1", "Host: aurora.example.org.evil.example"),
    "site-id": ("GET / HTTP/1.1", "Host: aurora"),
    "uri": ("GET http://unknown.example.org/ HTTP/1.1", "Host: aurora.example.org"),
    "https-uri": ("GET https://unknown.example.org/ HTTP/1.1", "Host: aurora.example.org"),
    "forwarded": ("GET / HTTP/1.1", "Host: unknown.example.org", "X-Forwarded-Host: aurora.example.org"),
}
KEY_FILES = ("access_key_file", "secret_key_file")
#: In nginx's own error pages; a site's pages have no such line.
NGINX = "<center>nginx</center>"
SET_KEY = """
from django.core.cache import cache

cache.set({key!r}, {value!r}, 600)
"""
CLEAR = """
from django.core.cache import cache

cache.clear()
"""
GET_KEY = """
from django.core.cache import cache

print(cache.get({key!r}))
"""
RESET_LINK = """
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

user = get_user_model().objects.get(username={name!r})
print(urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user), sep="/")
"""
TRY_BUCKETS = """
import json

from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

name = default_storage.save("note.txt", ContentFile(b"own"))
outcomes = dict(own=default_storage.open(name).read().decode())
client = default_storage.connection.meta.client
for bucket in {buckets!r}:
    try:
        outcomes[bucket] = client.get_object(Bucket=bucket, Key="note.txt")["Body"].read().decode()
    except ClientError as error:
        outcomes[bucket] = error.response["Error"]["Code"]
print(json.dumps(outcomes))
"""


def title_of(site: str) -> str:
    """Return what the home page of ``site``, and no other page, says."""
    return f"Welcome to {site.title()}"


def others(site: str) -> list[str]:
    return [other for other in (*SERVED, *LOCAL) if other != site]


def is_refused(answer: str) -> bool:
    """Return whether nginx ended the connection, or said itself that the request is bad or misdirected."""
    return not answer or (status_of(answer) in (400, 421) and NGINX in answer)


def fetch(page_url: str) -> requests.Response:
    """Return what a storage server has at a URL that a page leads to."""
    return requests.get(page_url, timeout=30)


# Hosts


@pytest.mark.parametrize("site", [*SERVED, *LOCAL])
def test_home_page_is_the_sites_own(street: Street, site: str) -> None:
    """A site's host shows the site's home page and nothing of the others."""
    page = street.home(site).get("/")
    assert page.status == 200
    assert title_of(site) in page.text
    assert not [other for other in others(site) if other in page.text.lower()]


def test_alias_is_served_as_it_is(street: Street) -> None:
    """An alias shows the site without a redirect, and Django sees the alias."""
    browser = street.browser("aurora.example.net")
    assert title_of("aurora") in browser.get("/").text
    assert json.loads(browser.get("/process/").body)["host"] == f"aurora.example.net:{street.ports.http}"


def test_second_hostname_redirects_to_the_canonical_one(street: Street) -> None:
    """A hostname after the first leads, for good, to the same path on the first."""
    page = street.browser("www.aurora.example.org").get("/search/?q=a%20b")
    assert page.status == 301
    assert page.headers["Location"] == f"http://aurora.example.org:{street.ports.http}/search/?q=a%20b"


@pytest.mark.parametrize("lines", CLOSED.values(), ids=CLOSED)
def test_host_of_no_site_reaches_no_site(street: Street, lines: tuple[str, ...]) -> None:
    """A request whose host is not a site's is ended by nginx: not even an error page of a site comes back."""
    assert is_refused(raw(street.ports.http, *lines))


@pytest.mark.parametrize("header", ["borealis.example.org", "unknown.example.org", "aurora.example.net"])
def test_host_of_an_absolute_uri_wins_everywhere(street: Street, header: str) -> None:
    """When the request line has a host, it chooses the site and is what Django sees, whatever the header says."""
    answer = raw(street.ports.http, "GET http://aurora.example.org/process/ HTTP/1.1", f"Host: {header}")
    process = json.loads(answer.partition("\r\n\r\n")[2])
    assert process["host"] == f"aurora.example.org:{street.ports.http}"
    assert process["environ"]["MULTIHOST_SITE"] == "aurora"


def test_forwarded_headers_of_a_client_are_not_believed(street: Street) -> None:
    """A client cannot say which host it asked for, or that it came over https, in X-Forwarded-… headers."""
    forged = {"X-Forwarded-Host": "borealis.example.org", "X-Forwarded-Proto": "https"}
    process = json.loads(street.home("aurora").get("/process/", **forged).body)
    assert process["host"] == f"aurora.example.org:{street.ports.http}"
    assert process["scheme"] == "http"


@pytest.mark.parametrize("path", [*HEALTH, "/-", "/%2d/live", "//-/live", "/./-/ready", "/x/../-/live/", "/-/x"])
def test_health_is_not_reachable_from_outside(street: Street, path: str) -> None:
    """nginx answers 404 for the health endpoint, however its path is spelt."""
    answer = raw(street.ports.http, f"GET {path} HTTP/1.1", "Host: aurora.example.org")
    assert status_of(answer) == 404
    assert "pass" not in answer


@pytest.mark.parametrize("path", HEALTH)
def test_health_answers_at_the_sites_socket(street: Street, path: str) -> None:
    """At its own socket every site is live and, with its database and cache, ready."""
    for site in (*SERVED, *LOCAL):
        answer = ask(street.socket(site), path)
        assert status_of(answer) == 200
        assert answer.endswith("\r\n\r\npass")


def test_static_files_are_served_and_nothing_beside_them(street: Street) -> None:
    """nginx serves the files that collectstatic collected, and no file next to their folder."""
    file = "wagtailadmin/css/core.css"
    page = street.home("aurora").get(f"/static/{file}")
    assert page.body == (street.workshop.project / "static" / file).read_bytes()
    assert page.headers["Content-Type"] == "text/css"
    for path in ("/static/../manage.py", "/static../manage.py", "/static/%2e%2e/manage.py", "/static/..%2fmanage.py"):
        answer = raw(street.ports.http, f"GET {path} HTTP/1.1", "Host: aurora.example.org")
        assert status_of(answer) in (400, 404)


# Files in buckets


@pytest.mark.parametrize("site", SERVED[:2])
def test_image_is_served_from_its_own_bucket_alone(street: Street, s3: S3Server, site: str) -> None:
    """A picture uploaded in the admin of a site is in the site's bucket, in no other one, and visitors get it."""
    title = unique("picture")
    urls = Editor(street.admin(site)).upload_image(title)
    for other in SERVED:
        stored = [name for name in s3.names(street.site(other).names.bucket) if title in name]
        assert bool(stored) == (other == site)
    assert urls
    for url in urls:
        assert url.startswith(f"{s3.endpoint}/{street.site(site).names.bucket}/")
        assert street.secrets()[f"{site}_access_key"] in url
        served = fetch(url)
        assert served.headers["Content-Type"] == "image/png"
        assert served.content.startswith(b"\x89PNG")


def test_document_in_a_bucket_is_served_by_wagtail(street: Street, s3: S3Server) -> None:
    """A document's address is the site's; Wagtail leads from it to the site's bucket."""
    title, content = unique("document"), unique("content").encode()
    url = Editor(street.admin("borealis")).upload_document(title, content)
    page = street.home("borealis").get(url)
    assert page.status in REDIRECTS
    assert page.location.startswith(f"{s3.endpoint}/{street.site('borealis').names.bucket}/documents/")
    assert fetch(page.location).content == content
    path = url.removeprefix(street.home("borealis").origin)
    assert street.home("aurora").get(path).status == 404


def test_media_path_of_a_bucket_site_has_no_files(street: Street) -> None:
    """For a site with a bucket nginx serves nothing below /media/, not even another site's files."""
    urls = Editor(street.admin("lyra")).upload_image(unique("picture"))
    path = urls[0].removeprefix(street.home("lyra").origin)
    assert street.home("lyra").get(path).status == 200
    assert street.home("aurora").get(path).status == 404


# Files in folders


@pytest.fixture(name="media", scope="session")
def _media(street: Street) -> dict[str, str]:
    """Upload a picture in both local sites; return the path of each on its host."""
    paths = {}
    for site in LOCAL:
        urls = Editor(street.admin(site)).upload_image(unique(site))
        paths[site] = urls[0].removeprefix(street.home(site).origin)
    return paths


def test_image_in_a_folder_is_served_to_its_own_host_alone(street: Street, media: dict[str, str]) -> None:
    """nginx serves a site's picture from the site's folder, as data that no browser runs, and to no other host."""
    page = street.home("lyra").get(media["lyra"])
    assert page.status == 200
    assert page.body.startswith(b"\x89PNG")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert street.home("vela").get(media["lyra"]).status == 404


def test_local_files_are_closed_to_other_users(street: Street, media: dict[str, str]) -> None:
    """Under umask 077 too, the front server's group can read uploads; nobody else can, and not the database."""
    data = street.contents().platform.data
    folder = data / "sites" / "lyra"
    expected = {data: 0o711, data / "sites": 0o711, folder: 0o750, folder / "media": 0o750}
    expected |= {folder / "db.sqlite3": 0o600, folder / media["lyra"].removeprefix("/"): 0o640}
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in expected} == expected


def test_document_in_a_folder_is_served_by_wagtail_alone(street: Street) -> None:
    """Wagtail's view serves a document; nginx does not, however its path in the media folder is spelt."""
    title, content = unique("document"), unique("content").encode()
    url = Editor(street.admin("lyra")).upload_document(title, content)
    page = street.home("lyra").get(url)
    assert (page.status, page.body) == (200, content)
    file = f"documents/{title}.txt"
    assert (folder_of(street, "lyra") / file).read_bytes() == content
    for path in (file, f"./{file}", f"/{file}", f"images/../{file}", f"%64ocuments/{title}.txt"):
        answer = raw(street.ports.http, f"GET /media/{path} HTTP/1.1", "Host: lyra.example.org")
        assert status_of(answer) == 404
        assert content.decode() not in answer


def test_links_in_a_media_folder_lead_nowhere(street: Street, media: dict[str, str]) -> None:
    """A site's code can link to its neighbour's files, but nginx follows no link below the media folder."""
    database = folder_of(street, "vela").parent / "db.sqlite3"
    neighbour = folder_of(street, "vela").parent / media["vela"].removeprefix("/")
    folder = folder_of(street, "lyra")
    with (
        readable(database),
        linked(folder / unique("data"), database) as data,
        linked(folder / unique("image"), neighbour) as image,
        linked(folder / unique("folder"), neighbour.parent) as inner,
    ):
        assert street.home("vela").get(media["vela"]).status == 200
        for path in (data.name, image.name, f"{inner.name}/{neighbour.name}"):
            page = street.home("lyra").get(f"/media/{path}")
            assert page.status in (403, 404)
            assert b"SQLite format" not in page.body
            assert not page.body.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    [
        "/media/../db.sqlite3",
        "/media../db.sqlite3",
        "/media/%2e%2e/db.sqlite3",
        "/media/..%2fdb.sqlite3",
        "/media/images/../../db.sqlite3",
        "/media/../../vela/db.sqlite3",
        "/media/..%2f..%2fvela/db.sqlite3",
        "/media//../..//vela/db.sqlite3",
    ],
)
def test_media_path_cannot_climb_out_of_the_folder(street: Street, path: str) -> None:
    """Dots in a path lead to no file outside the site's media folder."""
    with contextlib.ExitStack() as stack:
        for site in LOCAL:
            stack.enter_context(readable(folder_of(street, site).parent / "db.sqlite3"))
        answer = raw(street.ports.http, f"GET {path} HTTP/1.1", "Host: lyra.example.org")
    assert status_of(answer) in (400, 404)
    assert "SQLite format" not in answer


def folder_of(street: Street, site: str) -> Path:
    """Return the media folder of a local site."""
    folder = street.site(site).storage.path
    assert folder
    return folder


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Let the front server's group read a file, as a careless operator may."""
    path.chmod(0o640)
    try:
        yield
    finally:
        path.chmod(0o600)


@contextlib.contextmanager
def linked(link: Path, target: Path) -> Iterator[Path]:
    """Make a link as the sites' account would."""
    link.symlink_to(target)
    owner = target.stat()
    os.chown(link, owner.st_uid, owner.st_gid, follow_symlinks=False)
    try:
        yield link
    finally:
        link.unlink()


# Pages


@pytest.mark.parametrize("site", ["aurora", "lyra"])
def test_published_page_is_on_one_site_alone(street: Street, site: str) -> None:
    """A page published in the admin is found and shown by its own site, and by no other."""
    title, word = unique("article"), unique("word")
    path = Editor(street.admin(site)).publish_article(title, f"Only here: {word}.")
    for other in (*SERVED, *LOCAL):
        page, found = street.home(other).get(path), search(street, other, word)
        assert (page.status, word in page.text) == ((200, True) if other == site else (404, False))
        assert (path in found.text) == (other == site)


def search(street: Street, site: str, word: str) -> Page:
    page = street.home(site).get(f"/search/?q={word}")
    assert page.status == 200
    return page


# Sessions and tokens, with databases that are clones of one


def test_users_of_the_served_sites_are_clones(street: Street, postgres: Postgres) -> None:
    """The sites' users are the same in every column that sessions and tokens are made of."""
    query = "SELECT id, username, password, email FROM auth_user WHERE username = %s"
    rows = [postgres.execute(street.site(site).names.database, query, parameters=(READER,)) for site in SERVED]
    assert rows[0]
    assert rows[0] == rows[1] == rows[2]


def test_each_clone_has_been_taken_over_by_its_site(street: Street, postgres: Postgres) -> None:
    """The cloned databases have the identities and the hostnames of their sites, and nothing of the seed's."""
    for site in SERVED:
        spec = street.site(site)
        identities = postgres.execute(spec.names.database, "SELECT uid, retired_at FROM wagtail_multihost_identity")
        rows = postgres.execute(spec.names.database, "SELECT hostname, port FROM wagtailcore_site")
        assert (identities, rows) == ([(spec.uid, None)], [(spec.canonical, street.ports.http)])


@pytest.mark.parametrize(("owner", "other"), PAIRS)
def test_session_of_one_site_is_refused_by_the_others(
    street: Street, postgres: Postgres, owner: str, other: str
) -> None:
    """A session cookie logs in nowhere else, even where the session's row was cloned with the database."""
    browser = street.admin(owner)
    key = browser.cookies[f"sessionid_{owner}"]
    copy_session(postgres, street.site(owner), street.site(other), key)
    assert replayed(street, owner, key).status == 200
    page = replayed(street, other, key)
    assert page.status == 302
    assert page.location.startswith(f"{street.home(other).origin}/admin/login/")


def copy_session(postgres: Postgres, owner: SiteSpec, other: SiteSpec, key: str) -> None:
    columns = "session_key, session_data, expire_date"
    query = f"SELECT {columns} FROM django_session WHERE session_key = %s"
    (row,) = postgres.execute(owner.names.database, query, parameters=(key,))
    insert = f"INSERT INTO django_session ({columns}) VALUES (%s, %s, %s)"
    postgres.execute(other.names.database, insert, parameters=row)


def replayed(street: Street, site: str, key: str) -> Page:
    """Return the admin of ``site`` for a browser that was given a session cookie."""
    browser = street.home(site)
    browser.cookies = {f"sessionid_{name}": key for name in SERVED} | {"sessionid": key}
    return browser.get("/admin/")


def test_password_reset_link_of_one_site_is_refused_by_the_others(street: Street) -> None:
    """A link that resets a password works on the site that sent it, and on no other with the same user."""
    link = f"/admin/password_reset/confirm/{street.python('aurora', RESET_LINK.format(name=READER))}/"
    for site in ("borealis", "corona"):
        page = street.home(site).open(link)
        assert page.status == 200
        assert "new_password1" not in page.text
    page = street.home("aurora").open(link)
    assert page.form("new_password1", "new_password2").fields["csrfmiddlewaretoken"]


# Servers that the sites share


def test_cache_key_is_invisible_to_the_other_sites(street: Street, redis: RedisServer) -> None:
    """Sites in one Redis database do not see each other's keys: each has a prefix of its own."""
    key, value = unique("key"), unique("value")
    environ = street.workshop.environ(street.registry)
    code = SET_KEY.format(key=key, value=value)
    street.workshop.manage("multihost_as", "aurora", "shell", "-v0", "-c", code, environ=environ)
    seen = run_all(partial(street.python, site, GET_KEY.format(key=key)) for site in SERVED)
    assert seen == [value, "None", "None"]
    (stored,) = [name for name in redis.all_keys() if key in name]
    assert stored.startswith(f"{street.site('aurora').names.key_prefix}:")


def test_clearing_one_sites_cache_leaves_the_others(street: Street) -> None:
    """One site's ``cache.clear()`` takes its own keys and no other's."""
    key = unique("key")
    for site in SERVED:
        street.python(site, SET_KEY.format(key=key, value=site))
    street.python("aurora", CLEAR)
    seen = run_all(partial(street.python, site, GET_KEY.format(key=key)) for site in SERVED)
    assert seen == ["None", *[site for site in SERVED if site != "aurora"]]


def test_every_cache_key_has_the_prefix_of_a_site(street: Street, redis: RedisServer) -> None:
    """Each site keeps something in Redis, Wagtail's own entries at least, and nothing there is without a prefix."""
    for site in SERVED:
        street.home(site).get("/")
    names = redis.all_keys()
    prefixes = [f"{street.site(site).names.key_prefix}:" for site in SERVED]
    assert all(any(name.startswith(prefix) for name in names) for prefix in prefixes)
    # The site that the databases are clones of has left its mark.
    mark = f"{derive_names('aviary', SEED).key_prefix}:owner"
    assert [name for name in names if not name.startswith(tuple(prefixes)) and name != mark] == []


@pytest.mark.parametrize(("site", "other"), PAIRS)
def test_role_cannot_connect_to_the_database_of_another_site(
    street: Street, postgres: Postgres, site: str, other: str
) -> None:
    """The server lets a site's role into the site's database and no other."""
    role, password = street.site(site).names.role, street.secrets()[f"{site}_database"]
    own, foreign = street.site(site).names.database, street.site(other).names.database
    postgres.connect(own, role, password).close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        postgres.connect(foreign, role, password).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres.connect(foreign, street.site(other).names.role, password).close()


def test_access_keys_cannot_read_the_bucket_of_another_site(street: Street, enforcing_s3: S3Server) -> None:
    """Where policies are enforced a site reads its own bucket, with its own keys, and is denied every other."""
    buckets = {site: street.site(site).names.bucket for site in SERVED}
    keys = {}
    for site, bucket in buckets.items():
        enforcing_s3.add_bucket(bucket)
        with enforcing_s3.client() as client:
            client.put_object(Bucket=bucket, Key="note.txt", Body=site.encode())
        keys[site] = enforcing_s3.add_user(site, bucket)
        keep_secret(street, f"{site}_iam_access_key", keys[site].access_key)
        keep_secret(street, f"{site}_iam_secret_key", keys[site].secret_key)
    enforcing_s3.enforce_policies()
    document = tomlkit.parse(street.registry.read_text()).unwrap()
    storage = {name: str(street.folder / "secrets" / f"{{site}}_iam_{name[:-5]}") for name in KEY_FILES}
    document["platform"]["storage"] |= {"endpoint": enforcing_s3.endpoint, **storage}
    registry = write_registry(street.folder / "enforced.toml", document)
    ambient = {"AWS_ACCESS_KEY_ID": keys["corona"].access_key, "AWS_SECRET_ACCESS_KEY": keys["corona"].secret_key}
    environ = street.workshop.environ(registry, "aurora", **ambient)
    code = TRY_BUCKETS.format(buckets=[buckets["borealis"], buckets["corona"]])
    outcomes = json.loads(street.workshop.manage("shell", "-v0", "-c", code, environ=environ))
    denied = dict.fromkeys((buckets["borealis"], buckets["corona"]), "AccessDenied")
    assert outcomes == {"own": "own", **denied}
    for site, other in PAIRS:
        with enforcing_s3.client(keys=keys[site]) as client:
            assert client.list_objects_v2(Bucket=buckets[site])["KeyCount"]
            with pytest.raises(ClientError, match="AccessDenied"):
                client.list_objects_v2(Bucket=buckets[other])


# Processes


def test_process_of_a_site_is_told_of_that_site_alone(street: Street) -> None:
    """A site's process has its own name in its environment, and no secret of any site."""
    for site in (*SERVED, *LOCAL):
        environ = street.process(site)["environ"]
        assert environ["MULTIHOST_SITE"] == site
        assert not [name for name, secret in street.secrets().items() if secret in str(environ)]


def test_emitted_files_hold_no_secret(street: Street) -> None:
    """No secret file's text and no derived key is in what was emitted, which everyone may read."""
    texts = {path.relative_to(street.etc): path.read_text() for path in street.etc.rglob("*") if path.is_file()}
    assert {f"{site}.ini" for site in (*SERVED, *LOCAL)} <= {path.name for path in texts}
    known = [*street.secrets().values(), *(secret_key(street, site) for site in (*SERVED, *LOCAL))]
    assert not [path for path, text in texts.items() if any(secret in text for secret in known)]


def secret_key(street: Street, site: str) -> str:
    # Not through the registry, which reads no secret for one account that belongs to another.
    spec = street.site(site)
    return derive_secret_key(Secret(street.secrets()["platform"]), spec.uid, spec.epoch).reveal()


def test_sockets_are_closed_to_other_users(street: Street) -> None:
    """A site's socket is open to its own account and the front server's group."""
    for site in (*SERVED, *LOCAL):
        status = street.socket(site).stat()
        assert (stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o660)


def test_killed_worker_comes_back_and_disturbs_no_other_site(street: Street) -> None:
    """While the one worker of a site is killed and started again, every request to the others succeeds."""
    before = {site: street.process(site)["pid"] for site in SERVED}
    with visitors(street, others("aurora")) as statuses:
        os.kill(before["aurora"], signal.SIGKILL)
        wait_for(lambda: has_worker_other_than(street, "aurora", before["aurora"]), "a new worker of aurora")
    assert {status for seen in statuses.values() for status in seen} == {200}
    assert all(len(seen) > 1 for seen in statuses.values())
    after = {site: street.process(site)["pid"] for site in SERVED}
    assert after == {**before, "aurora": after["aurora"]}
    assert title_of("aurora") in street.home("aurora").get("/").text


def has_worker_other_than(street: Street, site: str, pid: int) -> bool:
    page = street.home(site).get("/process/")
    return page.status == 200 and json.loads(page.body)["pid"] != pid


@contextlib.contextmanager
def visitors(street: Street, sites: list[str]) -> Iterator[dict[str, list[int]]]:
    """Visit ``sites``, each in a thread, while the context lasts and once after; collect the statuses."""
    statuses: dict[str, list[int]] = {site: [] for site in sites}
    homes = {site: street.home(site) for site in sites}
    done = threading.Event()

    def visit(site: str) -> None:
        while not done.is_set():
            statuses[site].append(homes[site].get("/").status)
        statuses[site].append(homes[site].get("/").status)

    threads = [threading.Thread(target=visit, args=(site,)) for site in sites]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: all(statuses.values()), "the first visits")
        yield statuses
    finally:
        done.set()
        for thread in threads:
            thread.join()


# TLS


def test_certified_host_is_served_over_https(tls_street: Street) -> None:
    """A host with a certificate is served over https, and the admin's form logs in there."""
    browser = tls_street.secure_browser("tucana.example.org")
    assert title_of(CERTIFIED) in browser.get("/").text
    process = json.loads(browser.get("/process/").body)
    assert (process["scheme"], process["host"]) == ("https", "tucana.example.org")
    assert browser.log_in(ADMIN, tls_street.workshop.password).status == 200
    urls = Editor(browser).upload_image(unique("picture"))
    assert browser.get(urls[0]).body.startswith(b"\x89PNG")


@pytest.mark.parametrize("host", ["tucana.example.org", "www.tucana.example.org", "tucana.example.net"])
def test_certified_host_leads_from_http_to_https(tls_street: Street, host: str) -> None:
    """Over http a host with a certificate answers with its https address alone."""
    page = tls_street.browser(host).get("/search/?q=a")
    assert page.status == 301
    assert page.headers["Location"] == f"https://{host}/search/?q=a"


def test_second_hostname_redirects_over_https_too(tls_street: Street) -> None:
    """Over https as well, a hostname after the first leads to the first, and an alias is served."""
    page = tls_street.secure_browser("www.tucana.example.org").get("/a/")
    assert (page.status, page.headers["Location"]) == (301, "https://tucana.example.org/a/")
    assert title_of(CERTIFIED) in tls_street.secure_browser("tucana.example.net").get("/").text


@pytest.mark.parametrize("name", ["volans.example.org", "unknown.example.org", "127.0.0.1", None])
def test_name_without_a_certificate_gets_none(tls_street: Street, name: str | None) -> None:
    """The handshake for a name that has no certificate fails: no other host's certificate is shown."""
    with pytest.raises(ssl.SSLError), handshake(tls_street, name):
        pass
    with handshake(tls_street, "tucana.example.org") as connection:
        assert connection.getpeercert(binary_form=True)


@pytest.mark.parametrize("host", ["unknown.example.org", "127.0.0.1", "volans.example.org"])
def test_certificate_of_one_host_does_not_open_another(tls_street: Street, host: str) -> None:
    """A connection made for one host's certificate shows that host's site to no request for another host."""
    with handshake(tls_street, "tucana.example.org") as connection:
        answer = exchange(connection, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close")
    assert is_refused(answer) or (host == "volans.example.org" and title_of(PLAIN) in answer)


def test_host_without_a_certificate_stays_on_http(tls_street: Street) -> None:
    """Beside a host with a certificate, one without is served over http as it was."""
    page = tls_street.browser("volans.example.org").get("/")
    assert page.status == 200
    assert title_of(PLAIN) in page.text


@contextlib.contextmanager
def handshake(street: Street, name: str | None) -> Iterator[ssl.SSLSocket]:
    """Connect for ``name`` without a look at the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", street.ports.https), 30) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection
