"""One spelling for each server."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.servers import normalize_endpoint, normalize_server


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost.",
        "db.localhost",
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0.0.0.0",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::",
        "::ffff:127.0.0.1",
        "/run/postgresql",
        "/var/run/postgresql/",
        "//run/./postgresql",
        "/tmp",
    ],
)
def test_server_on_this_machine_has_one_spelling(host: str) -> None:
    """Every address and name of the machine itself, and the usual folders of sockets, are localhost."""
    assert normalize_server(host, 5432) == "localhost:5432"


@pytest.mark.parametrize(
    ("host", "spelling"),
    [
        ("DB.Internal.", "db.internal:5432"),
        ("10.0.0.1", "10.0.0.1:5432"),
        ("::ffff:10.0.0.1", "10.0.0.1:5432"),
        ("10.1", "10.0.0.1:5432"),
        ("2001:DB8:0::1", "[2001:db8::1]:5432"),
        ("1a.example", "1a.example:5432"),
        ("/srv/Sockets/", "/srv/Sockets:5432"),
    ],
)
def test_server_elsewhere_has_one_spelling(host: str, spelling: str) -> None:
    """Case, a final dot and the form of an address make no other server."""
    assert normalize_server(host, 5432) == spelling


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("", ""),
        ("https://s3.amazonaws.com", ""),
        ("https://s3.dualstack.EU-west-1.amazonaws.com:443/", ""),
        ("https://s3.cn-north-1.amazonaws.com.cn", ""),
        ("https://S3.example/", "s3.example"),
        ("http://s3.example:80", "s3.example"),
        ("http://s3.example:443", "s3.example:443"),
        ("https://s3.example:9000", "s3.example:9000"),
        ("http://[::1]:9000/", "localhost:9000"),
        ("https://amazonaws.com.example", "amazonaws.com.example"),
    ],
)
def test_endpoint_has_one_spelling(url: str, spelling: str) -> None:
    """Amazon's own hosts are the same as none; scheme, default port, case and a final slash make no other server."""
    assert normalize_endpoint(url) == spelling


@pytest.mark.parametrize(("own", "other"), [("localhost", "127.0.0.1"), ("db", "DB"), ("::1", "/run/postgresql")])
def test_database_on_a_server_with_two_spellings_is_one(registry: RegistryMaker, own: str, other: str) -> None:
    """A database that two sites reach by two names of one server is refused, and so is its user."""
    line = 'database = {{ engine = "postgresql", name = "n", user = "u", password = "p", host = "{}" }}\n'
    with pytest.raises(ConfigurationError) as refused:
        registry(HEAD + AURORA + line.format(own) + BOREALIS + line.format(other)).load()
    assert [problem.message.split(" '")[0] for problem in refused.value.problems] == [
        "The database",
        "The database user",
    ]
    assert {problem.where for problem in refused.value.problems} == {"sites.toml: sites.borealis.database"}
