"""A registry in a TOML file."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, PLATFORM_KEY, RegistryMaker, shown_by_error_pages
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import NginxOptions, Secret, TlsSpec, UwsgiOptions

POSTGRESQL = '[platform.database]\nengine = "postgresql"\nhost = "db.internal"\npassword_file = "secrets/{site}_db"\n'


def where(error: ConfigurationError) -> list[str]:
    return [problem.where for problem in error.problems]


def refused(make: RegistryMaker, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as found:
        make(text).load()
    return found.value


def test_registry_with_hostnames_alone_is_complete(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site with a hostname gets SQLite, local memory and local files below the data folder."""
    platform, site = registry(HEAD + AURORA).site("aurora")
    assert platform.secret_key == Secret(PLATFORM_KEY)
    assert (platform.data, platform.environment, platform.origin) == (
        tmp_path / "data",
        "development",
        "https://{hostname}",
    )
    assert site.database.path == tmp_path / "data/sites/aurora/db.sqlite3"
    assert site.storage.path == tmp_path / "data/sites/aurora/media"
    assert (site.cache.backend, site.enabled, site.epoch, site.pinned) == ("locmem", True, 1, False)
    assert site.uid == platform.uid_of("aurora")


def test_registry_reads_everything_an_operator_can_write(registry: RegistryMaker, tmp_path: Path) -> None:
    """Each key of the platform and of a site reaches its field."""
    text = """
[platform]
name = "aviary"
data = "/srv/data"
environment = "staging"
sockets = "/run/aviary"
origin = "http://{hostname}:8000"
secure_proxy_ssl_header = ["HTTP_X_FORWARDED_PROTO", "https"]
secret_key = "env:KEY"
cache = "redis://:cache-password@cache.internal:6380/2"
tls = { certificate = "/etc/tls/{hostname}.pem", key = "/etc/tls/{hostname}.key" }
storage = { backend = "s3", region = "us-west-2" }
[platform.nginx]
http = ["127.0.0.1:8080"]
https = ["127.0.0.1:8443"]
user = "nginx"
body_size = "1g"
pid = "nginx.pid"
logs = "/var/log/aviary"
temp = "/var/tmp/aviary"
mime_types = "/etc/mime.types"
[platform.uwsgi]
build = "debian"
processes = 4
threads = 2
harakiri = 30
max_requests = 100
http = "127.0.0.1:8000"
[platform.settings]
TIME_ZONE = "Europe/Berlin"
LANGUAGE_CODE = "de"
[sites.aurora]
uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
hostnames = ["B\u00fccher.example", "www.aurora.example"]
aliases = ["aurora.example"]
enabled = true
epoch = 3
[sites.aurora.database]
engine = "postgresql"
name = "db"
user = "role"
password = "env:DB"
host = "/run/postgresql"
port = 5433
options = { sslmode = "require", connect_timeout = 3 }
[sites.aurora.storage]
bucket = "own-bucket"
endpoint = "http://127.0.0.1:9000"
domain = "cdn.example"
access_key = "access"
secret_key_file = "bucket.key"
[sites.aurora.tls]
certificate = "/etc/aurora.pem"
key = "/etc/aurora.key"
[sites.aurora.settings]
WAGTAIL_SITE_NAME = "Aurora"
TIME_ZONE = "UTC"
WAGTAIL_I18N_ENABLED = true
"""
    secret_file(tmp_path / "bucket.key", "bucket-key\n")
    platform, site = registry(text, {"KEY": PLATFORM_KEY, "DB": "database-password"}).site("aurora")
    assert (platform.data, platform.sockets, platform.environment) == (
        Path("/srv/data"),
        Path("/run/aviary"),
        "staging",
    )
    assert platform.secure_proxy_ssl_header == ("HTTP_X_FORWARDED_PROTO", "https")
    assert platform.secret_key == Secret(PLATFORM_KEY)
    assert platform.options_of(NginxOptions) == NginxOptions(
        http=("127.0.0.1:8080",),
        https=("127.0.0.1:8443",),
        user="nginx",
        body_size="1g",
        pid=tmp_path / "nginx.pid",
        logs=Path("/var/log/aviary"),
        temp=Path("/var/tmp/aviary"),
        mime_types=Path("/etc/mime.types"),
    )
    assert platform.options_of(UwsgiOptions) == UwsgiOptions(
        build="debian", processes=4, threads=2, harakiri=30, max_requests=100, http="127.0.0.1:8000"
    )
    assert (site.uid, site.epoch) == (UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"), 3)
    assert site.hosts == ("xn--bcher-kva.example", "www.aurora.example", "aurora.example")
    assert (site.database.name, site.database.user, site.database.port) == ("db", "role", 5433)
    assert site.database.options == (("sslmode", "require"), ("connect_timeout", 3))
    assert site.database.password == Secret("database-password")
    assert (site.cache.host, site.cache.port, site.cache.number) == ("cache.internal", 6380, 2)
    assert site.cache.password == Secret("cache-password")
    assert (site.storage.bucket, site.storage.region, site.storage.domain) == (
        "own-bucket",
        "us-west-2",
        "cdn.example",
    )
    assert site.storage.secret_key == Secret("bucket-key")
    assert site.tls == TlsSpec(certificate="/etc/aurora.pem", key="/etc/aurora.key")
    assert dict(site.settings) == {
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "de",
        "WAGTAIL_SITE_NAME": "Aurora",
        "WAGTAIL_I18N_ENABLED": True,
    }
    assert site.sources["settings.LANGUAGE_CODE"] == "sites.toml: platform.settings.LANGUAGE_CODE"
    assert site.sources["database"] == "sites.toml: sites.aurora.database"
    assert site.sources["cache"] == "sites.toml: platform.cache"


def test_registry_paths_start_at_the_registry_file(
    registry: RegistryMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths, SQLite's and secrets' too, start at the folder of the file, not at the working folder."""
    monkeypatch.chdir("/")
    text = f'{HEAD}data = "d"\n{AURORA}database = "sqlite:///own.sqlite3"\nstorage = "file:///abs/media"\n'
    platform, site = registry(text).site("aurora")
    assert platform.data == tmp_path / "d"
    assert site.database.path == tmp_path / "own.sqlite3"
    assert site.storage.path == Path("/abs/media")


def test_registry_secret_files_may_name_the_site(registry: RegistryMaker, tmp_path: Path) -> None:
    """{site} in the path of a secret's file is the site's id."""
    (tmp_path / "secrets").mkdir()
    secret_file(tmp_path / "secrets/aurora_db", "hers\n")
    secret_file(tmp_path / "secrets/borealis_db", "his\n")
    opened = registry(HEAD + POSTGRESQL + AURORA + BOREALIS)
    assert opened.site("aurora")[1].database.password == Secret("hers")
    assert opened.site("borealis")[1].database.password == Secret("his")


def test_registry_paths_may_name_the_site(registry: RegistryMaker, tmp_path: Path) -> None:
    """{site} in the platform's SQLite path and media folder is the site's id."""
    text = HEAD + 'database = "sqlite:///db/{site}.sqlite3"\nstorage = { path = "/m/{site}" }\n' + AURORA + BOREALIS
    sites = registry(text).load().sites
    assert [site.database.path for site in sites] == [tmp_path / "db/aurora.sqlite3", tmp_path / "db/borealis.sqlite3"]
    assert [site.storage.path for site in sites] == [Path("/m/aurora"), Path("/m/borealis")]


def test_registry_load_reads_no_secret(registry: RegistryMaker, tmp_path: Path) -> None:
    """Loading everything needs no secret's file, and makes no platform key."""
    text = '[platform]\nname = "aviary"\n' + POSTGRESQL + AURORA
    contents = registry(text).load()
    assert contents.platform.secret_key is None
    assert contents.sites[0].database.host == "db.internal"
    assert not (tmp_path / "data").exists()


def test_registry_overlays_the_platform_table_with_the_site_table(registry: RegistryMaker) -> None:
    """A site's table changes single fields of the platform's."""
    text = HEAD + POSTGRESQL + AURORA + 'database = { port = 5433, password = "own" }\n'
    site = registry(text).load().sites[0]
    assert (site.database.engine, site.database.host, site.database.port) == ("postgresql", "db.internal", 5433)


def test_registry_site_password_replaces_the_platform_password_file(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site with a password or a file of its own does not take the platform's password_file."""
    secret_file(tmp_path / "own", "from a file")
    for line, value in (('password = "own"', "own"), ('password_file = "own"', "from a file")):
        _, site = registry(f"{HEAD}{POSTGRESQL}{AURORA}database = {{ {line} }}\n").site("aurora")
        assert site.database.password == Secret(value)


def test_registry_site_url_replaces_the_platform_table(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site's URL takes nothing from the platform's table."""
    text = HEAD + POSTGRESQL + AURORA + 'database = "sqlite:///own.sqlite3"\n'
    database = registry(text).site("aurora")[1].database
    assert (database.engine, database.path, database.host) == ("sqlite", tmp_path / "own.sqlite3", "")


def test_registry_site_of_another_kind_replaces_the_platform_table(registry: RegistryMaker) -> None:
    """A site's table of another kind takes nothing from the platform's."""
    text = HEAD + 'cache = "redis://:shared@cache.internal/1"\n' + AURORA + 'cache = { backend = "locmem" }\n'
    cache = registry(text).site("aurora")[1].cache
    assert (cache.backend, cache.host, cache.password) == ("locmem", "", None)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('database = "postgresql://u:hunter2@db/shared"', "platform.database"),
        ('database = { engine = "postgresql", host = "db", name = "shared" }', "platform.database.name"),
        ('database = { engine = "postgresql", host = "db", user = "shared" }', "platform.database.user"),
        ('database = { engine = "postgresql", host = "db", password = "hunter2" }', "platform.database.password"),
        ('database = { engine = "postgresql", host = "db", password_file = "one" }', "platform.database.password_file"),
        ('database = { engine = "postgresql", host = "db", password = "{site}" }', "platform.database.password"),
        ('database = "sqlite:///shared.sqlite3"', "platform.database"),
        ('storage = { path = "/srv/shared" }', "platform.storage.path"),
        ('storage = { backend = "s3", bucket = "shared" }', "platform.storage.bucket"),
        ('storage = { backend = "s3", access_key = "hunter2" }', "platform.storage.access_key"),
        ('storage = { backend = "s3", secret_key = "hunter2" }', "platform.storage.secret_key"),
        ('storage = { backend = "s3", secret_key_file = "one" }', "platform.storage.secret_key_file"),
        ('storage = "s3://a:hunter2@shared"', "platform.storage"),
    ],
)
def test_registry_refuses_what_every_site_would_share(registry: RegistryMaker, line: str, key: str) -> None:
    """Names and credentials that would be the same for every site are refused at the platform."""
    error = refused(registry, f"{HEAD}{line}\n{AURORA}")
    assert f"sites.toml: {key}" in where(error)
    assert "Every site would share" in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("key", ["secret_key", "password"])
def test_registry_refuses_a_secret_beside_its_file(registry: RegistryMaker, key: str) -> None:
    """A secret and its file together are refused, since one of them would be ignored."""
    if key == "secret_key":
        text, place = HEAD + 'secret_key_file = "k"\n' + AURORA, "platform.secret_key_file"
    else:
        line = 'database = { engine = "postgresql", host = "h", password = "p", password_file = "f" }\n'
        text, place = HEAD + AURORA + line, "sites.aurora.database.password_file"
    error = refused(registry, text)
    assert where(error) == [f"sites.toml: {place}"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('enabled = "yes"', "enabled"),
        ("enabled = 1", "enabled"),
        ('epoch = "2"', "epoch"),
        ("epoch = true", "epoch"),
        ("epoch = 1.5", "epoch"),
        ('aliases = "a.example"', "aliases"),
        ("aliases = [1]", "aliases"),
        ('aliases = [""]', "aliases"),
        ("uid = 7", "uid"),
        ("uid = 2024-01-01", "uid"),
        ('uid = "6f1c2b0e4a0d5c8e9b1f2d3c4b5a6978"', "uid"),
        ('uid = "{6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978}"', "uid"),
        ('uid = "aurora"', "uid"),
        ("database = 7", "database"),
        ('database = ""', "database"),
        ("cache = []", "cache"),
        ('storage = " "', "storage"),
        ('tls = "/etc/a.pem"', "tls"),
        ('settings = "x"', "settings"),
        ('names = "x"', "names"),
        ("database = { port = 1.5 }", "database.port"),
        ('database = { engine = "postgresql", host = "h", password = "", port = 1 }', "database.password"),
        ('database = { engine = "postgresql", host = "h", password = 7 }', "database.password"),
        (
            'database = { engine = "postgresql", host = "h", password = "p", options = { a = true } }',
            "database.options.a",
        ),
        ('database = { engine = "postgresql", host = "h", password = "env:A B" }', "database.password"),
        ('database = { engine = "postgresql", host = "h", password_file = "{user}" }', "database.password_file"),
        ('database = { engine = "mongodb" }', "database.engine"),
        ('database = { path = "a\\u0000b" }', "database.path"),
        ('database = { path = "../../x" }', "database.path"),
        ('cache = { backend = "memcached" }', "cache.backend"),
        ('storage = { backend = "ftp" }', "storage.backend"),
        ("settings = { TIME_ZONE = 7 }", "settings.TIME_ZONE"),
        ("settings = { DEBUG = 7 }", "settings.DEBUG"),
        ("settings = { DEBUG = true }", "settings.DEBUG"),
        ('names = { database = "x;y" }', "names.database"),
        ("names = { database = 7 }", "names.database"),
        ('names = { databse = "x" }', "names.databse"),
        ('hostname = "a.example"', "hostname"),
        ('"odd key\\n" = 1', r"'odd key\n'"),
        ('tls = { certificate = "/a" }', "tls.key"),
    ],
)
def test_registry_mistake_is_reported_under_its_key(registry: RegistryMaker, line: str, key: str) -> None:
    """Every mistake in a site's table is a problem with the key as it was written, and names the site."""
    error = refused(registry, f"{HEAD}{AURORA}{line}\n")
    assert where(error) == [f"sites.toml: sites.aurora.{key}"]
    assert error.problems[0].site == "aurora"
    assert str(error).isascii()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("platform = 7\n" + AURORA, "platform"),
        ("sites = 7\n" + HEAD, "sites"),
        ("sites = { aurora = 7 }\n" + HEAD, "sites.aurora"),
        ("other = 7\n" + HEAD + AURORA, "other"),
        ("[platform]\n" + AURORA, "platform.name"),
        ('[platform]\nname = ""\n' + AURORA, "platform.name"),
        (HEAD + "nginx = 7\n" + AURORA, "platform.nginx"),
        (HEAD + "uwsgi = { processes = 0 }\n" + AURORA, "platform.uwsgi.processes"),
        (HEAD + "tls = 7\n" + AURORA, "platform.tls"),
        (HEAD + "settings = 7\n" + AURORA, "platform.settings"),
        (HEAD + 'secure_proxy_ssl_header = ["HTTP_X"]\n' + AURORA, "platform.secure_proxy_ssl_header"),
        (HEAD + '[sites."a b"]\nhostnames = ["a.example"]\n', "sites.'a b'"),
        (HEAD + "[sites.aurora]\n", "sites.aurora.hostnames"),
        (HEAD + "[sites.aurora]\nhostnames = []\n", "sites.aurora.hostnames"),
    ],
)
def test_registry_mistake_outside_a_site_is_reported_under_its_key(
    registry: RegistryMaker, text: str, key: str
) -> None:
    """Mistakes in the platform and in the two tables themselves have their keys."""
    assert f"sites.toml: {key}" in where(refused(registry, text))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("hostname = []", "Did you mean hostnames?"),
        ('databse = "x"', "Did you mean database?"),
        ("zzz = 1", "Accepted: admins, aliases, cache, code, codebase, csrf_cookie"),
        ("names = { buckett = 'x' }", "Did you mean bucket?"),
        ("database = { pth = 'x' }", "Did you mean path?"),
    ],
)
def test_registry_unknown_key_gets_a_suggestion(registry: RegistryMaker, line: str, hint: str) -> None:
    """An unknown key is answered with the nearest known one, or with all of them."""
    assert hint in refused(registry, f"{HEAD}{AURORA}{line}\n").problems[0].message


def test_registry_hosts_that_are_wrong_are_all_reported(registry: RegistryMaker) -> None:
    """Every hostname that is not accepted is a problem of its own."""
    error = refused(registry, HEAD + '[sites.aurora]\nhostnames = ["a_b.example", "ok.example", "*.example"]\n')
    assert where(error) == ["sites.toml: sites.aurora.hostnames"] * 2


def test_registry_syntax_error_has_the_place_but_no_text(registry: RegistryMaker) -> None:
    """A syntax error says the line and column, and nothing of the file, which has secrets."""
    error = refused(registry, f'{HEAD}password = "hunter2\n')
    assert [(problem.line, problem.file == problem.where) for problem in error.problems] == [(4, True)]
    assert "line 4: " in str(error) and "closing quote" in str(error)
    shown = shown_by_error_pages(error)
    assert "hunter2" not in shown
    assert PLATFORM_KEY not in shown


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a = 1\nb = aviary\n", 2, "quotes"),
        ("a = 1\nb = True\n", 2, "small letters"),
        ("a = 1\n\na = 2\n", 3, "twice"),
        ("[sites.hunter2]\n[sites.hunter2]\n", 2, "one heading"),
        ("[sites.aurora\n", 1, "bracket"),
        ('a = ["b" "c"]\n', 1, "comma"),
        ("a = { b = 1\n", 1, "brace"),
        ("a = { b = 1 }\na.c = 2\n", 2, "braces"),
        ('a = "b\n', 1, "quote"),
        ("a = 'b\n", 1, "quote"),
        ('a = """b\n\n', 1, "quote"),
        ('a = "b" c\n', 1, "something else"),
        ("a\n", 1, "needs ="),
        ("= 1\n", 1, "expected"),
        ("a = 1\nb =", 2, "missing"),
    ],
)
def test_registry_syntax_error_says_what_is_wrong(registry: RegistryMaker, text: str, line: int, word: str) -> None:
    """In words of one's own, with the line, and without what is written there."""
    (problem,) = refused(registry, text).problems
    assert problem.line == line and word in problem.message and "hunter2" not in problem.message


def test_registry_syntax_error_at_the_end_is_reported(registry: RegistryMaker) -> None:
    """A file that ends too early is an error too."""
    assert "not valid TOML" in str(refused(registry, f"{HEAD}x = "))


def test_registry_that_is_not_text_is_refused(registry: RegistryMaker, tmp_path: Path) -> None:
    """A file that is not UTF-8 is an error without its content."""
    opened = registry("")
    (tmp_path / "sites.toml").write_bytes(b"hunter2 \xff")
    with pytest.raises(ConfigurationError, match="not UTF-8") as found:
        opened.load()
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize(
    "text",
    [
        'secret_key_file = "a\\u0000b"',
        'secret_key_file = "a\\tb"',
        f"x = {'9' * 5000}",
        f"x = {'[' * 20000}",
        f"uwsgi = {{ processes = 0x{'f' * 5000} }}",
        f'database = {{ engine = "postgresql", host = "db", port = 0x{"f" * 5000} }}',
    ],
)
def test_value_that_breaks_readers_is_a_problem(registry: RegistryMaker, text: str) -> None:
    """Numbers, nesting and paths that Python itself refuses end in a report."""
    with pytest.raises(ConfigurationError) as caught:
        registry(f"{HEAD.replace('secret_key', '#')}{text}\n{AURORA}").load()
    assert caught.value.problems


def test_byte_order_mark_is_read_over(registry: RegistryMaker) -> None:
    """A file that an editor wrote with a byte order mark is read like any other."""
    assert len(registry(f"\ufeff{HEAD}{AURORA}").load().sites) == 1


def test_registry_as_an_operator_writes_it(registry: RegistryMaker) -> None:
    """A platform's database, cache and storage are every site's, each with names and secrets of its own."""
    contents = registry(
        """
        [platform]
        name = "aviary"
        data = "./data"
        secret_key_file = "/run/secrets/multihost"
        origin = "https://{hostname}"
        database = { engine = "postgresql", host = "db.internal", password_file = "/run/secrets/{site}_db" }
        cache = "redis://cache.internal:6379/0"
        storage = { backend = "s3", region = "us-west-2" }

        [sites.aurora]
        hostnames = ["aurora.example.org", "www.aurora.example.org"]   # first is canonical
        aliases = ["aurora.example.net"]
        enabled = true
        [sites.aurora.settings]
        WAGTAIL_SITE_NAME = "Aurora"

        [sites.borealis]
        hostnames = ["borealis.example.org"]
        database = "sqlite:///borealis.sqlite3"
        """
    ).load()
    aurora, borealis = contents.sites
    assert (aurora.database.name, aurora.database.host) == ("aviary__aurora", "db.internal")
    assert (aurora.cache.backend, borealis.cache.backend) == ("redis", "redis")
    assert (aurora.storage.bucket, borealis.storage.bucket) == ("aviary--aurora", "aviary--borealis")
    assert borealis.database.path == contents.platform.data.parent / "borealis.sqlite3"


@pytest.mark.parametrize(("table", "hint"), [("platfrom", "Did you mean platform?"), ("site", "Did you mean sites?")])
def test_misspelt_table_gets_a_suggestion(registry: RegistryMaker, table: str, hint: str) -> None:
    """As keys do."""
    problems = refused(registry, f"{HEAD}[{table}.x]\n").problems
    assert [problem.message for problem in problems if problem.key == table] == [
        f"The table '{table}' is not known. {hint}"
    ]


def test_misspelt_table_of_a_target_gets_a_suggestion(registry: RegistryMaker) -> None:
    """The platform's and the site's, even if the right one is there too."""
    text = f"{HEAD}[platform.nginx]\n[platform.ngnix]\n{AURORA}[sites.aurora.uswgi]\n"
    found = {problem.key: problem.message for problem in refused(registry, text).problems}
    assert found == {
        "platform.ngnix": "The key 'ngnix' is not known. Did you mean nginx?",
        "sites.aurora.uswgi": "The key 'uswgi' is not known. Did you mean uwsgi?",
    }


@pytest.mark.parametrize("place", ["platform", "sites.aurora"])
def test_table_of_a_target_that_is_not_installed_is_said_as_such(registry: RegistryMaker, place: str) -> None:
    """A table that is none of ours may be one of a package that this machine lacks; one in another table is not."""
    (problem,) = refused(registry, f"{HEAD}{AURORA}[{place}.caddy]\n").problems
    assert "no installed package has a target of that name" in problem.message and "Accepted: " in problem.message
    (problem,) = refused(registry, f"{HEAD}{AURORA}[{place}.cache.caddy]\n").problems
    assert "package" not in problem.message


def test_table_of_a_site_without_its_first_word_is_recognised(registry: RegistryMaker) -> None:
    """It has hostnames, so that it is known what was meant."""
    (problem,) = refused(registry, f'{HEAD}[aurora]\nhostnames = ["aurora.example.org"]\n').problems
    assert problem.message == "The table 'aurora' is not known. The table of a site starts with sites: [sites.aurora]."


def test_key_that_each_site_has_of_its_own_is_not_suggested_to_the_platform(registry: RegistryMaker) -> None:
    """It would be refused next; in a site's table it is suggested."""
    server = 'engine = "postgresql", host = "h", password_file = "/p/{site}", nmae = "x"'
    (problem,) = refused(registry, f"{HEAD}database = {{ {server} }}\n{AURORA}").problems
    assert problem.message == (
        "The key 'nmae' is not known. Accepted: engine, host, options, password_file, path, port."
    )
    (problem,) = refused(registry, f"{HEAD}{AURORA}database = {{ {server} }}\n").problems
    assert problem.message == "The key 'nmae' is not known. Did you mean name?"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("", 'The engine sqlite, the default, does not have this key. Is engine = "postgresql" missing?'),
        ('engine = "sqlite", ', "The engine sqlite does not have this key."),
    ],
)
def test_key_of_another_engine_asks_for_the_engine(registry: RegistryMaker, stated: str, message: str) -> None:
    """Where none is stated it has probably been forgotten."""
    (problem,) = refused(registry, f'{HEAD}{AURORA}database = {{ {stated}host = "h" }}\n').problems
    assert problem.message == message


@pytest.mark.parametrize("name", ["http://aurora.example.org", "aurora.example.org:8000", "aurora.example.org/"])
def test_address_in_the_place_of_a_hostname_is_recognised(registry: RegistryMaker, name: str) -> None:
    """What is too much is said."""
    (problem,) = refused(registry, f'{HEAD}[sites.aurora]\nhostnames = ["{name}"]\n').problems
    assert problem.message.endswith("write the name alone, without https://, a port or a path.")
