"""One report for all mistakes of a registry, and no secret in it."""

from __future__ import annotations

import pickle
import traceback

import pytest

from tests.registry.conftest import RegistryMaker, shown_by_error_pages
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.record import table_entries

# Every secret in this file has "hunter" in it.
MISTAKES = r"""
extra = "hunter-0"

[platform]
name = "Aviary!"
data = "a\u0000b"
environment = "Production"
sockets = "/run/../etc"
origin = "https://example.org"
secret_key = "hunter-1-0123456789-0123456789-0123456789"
secret_key_file = "/run/secrets/multihost"
secure_proxy_ssl_header = ["X-Forwarded-Proto", "https"]
orign = "hunter-2"
cache = "redis://:hunter-3@cache.internal:6379/zero"
storage = { backend = "s3", secret_key = "hunter-4" }
[platform.database]
engine = "postgresql"
host = "db.internal"
password = "hunter-5"
[platform.nginx]
user = "root; include /etc/passwd"
logs = "/var/log/../nginx"
[platform.uwsgi]
processes = "many"
harakiri = 0

[sites.aurora]
uid = "aurora"
hostnames = ["a_b.example", "aurora.example;}"]
aliases = ["127.0.0.1"]
enabled = "yes"
epoch = 0
database = "mysql://u:hunter-6@db/aurora"
cache = { backend = "memcached" }
storage = "s3://key:hunter-7@bucket/path"
tls = { certificate = "relative.pem", key = "/etc/{user}.key" }
[sites.aurora.settings]
SECRET_KEY = "hunter-8"
TIME_ZONE = "Europe/Nowhere"

[sites.borealis]
hostname = ["borealis.example"]

[sites.corona]
hostnames = ["corona.example"]
names = { database = "a b", bucket = "Upper", key_prefix = "a:b" }
[sites.corona.database]
engine = "postgresql"
host = "db:hunter-14@internal"
port = 70000
password = "hunter-9"
password_file = "/run/secrets/corona"
options = { passfile = "hunter-10" }
[sites.corona.storage]
backend = "s3"
endpoint = "https://user:hunter-11@s3.example"
region = "us\nwest"
acces_key = "hunter-12"
secret_key = "hunter-13"

[sites."Dromos"]
hostnames = ["dromos.example"]
"""

KEYS = (
    "extra",
    "platform.name",
    "platform.data",
    "platform.environment",
    "platform.sockets",
    "platform.origin",
    "platform.secret_key_file",
    "platform.secure_proxy_ssl_header",
    "platform.orign",
    "platform.cache",
    "platform.storage.secret_key",
    "platform.storage.access_key",
    "platform.database.password",
    "platform.nginx.user",
    "platform.nginx.logs",
    "platform.uwsgi.processes",
    "platform.uwsgi.harakiri",
    "sites.aurora.uid",
    "sites.aurora.hostnames",
    "sites.aurora.aliases",
    "sites.aurora.enabled",
    "sites.aurora.epoch",
    "sites.aurora.database",
    "sites.aurora.cache.backend",
    "sites.aurora.storage",
    "sites.aurora.tls.certificate",
    "sites.aurora.tls.key",
    "sites.aurora.settings.SECRET_KEY",
    "sites.aurora.settings.TIME_ZONE",
    "sites.borealis.hostname",
    "sites.borealis.hostnames",
    "sites.corona.names.database",
    "sites.corona.names.bucket",
    "sites.corona.names.key_prefix",
    "sites.corona.database.host",
    "sites.corona.database.port",
    "sites.corona.database.password_file",
    "sites.corona.database.options",
    "sites.corona.storage.endpoint",
    "sites.corona.storage.region",
    "sites.corona.storage.acces_key",
    "sites.corona.storage.access_key",
    "sites.Dromos",
)


def report(make: RegistryMaker) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        make(MISTAKES).load()
    return refused.value


def test_report_names_every_mistake_under_its_key(registry: RegistryMaker) -> None:
    """A registry with over thirty different mistakes gives one error that names all their keys."""
    found = {problem.where for problem in report(registry).problems}
    assert len(KEYS) >= 30
    assert found == {f"sites.toml: {key}" for key in KEYS}


def test_report_names_the_site_of_every_mistake(registry: RegistryMaker) -> None:
    """Each problem of a site has its id, and each of the platform none."""
    for problem in report(registry).problems:
        key = problem.where.removeprefix("sites.toml: ")
        assert problem.site == (key.split(".")[1] if key.startswith("sites.") else "")


def test_report_has_one_ascii_line_for_each_mistake(registry: RegistryMaker) -> None:
    """Nothing in a registry can add a line to the report or hide one."""
    error = report(registry)
    lines = str(error).splitlines()
    assert len(lines) == 1 + len(error.problems)
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert len(set(error.problems)) == len(error.problems)


def test_report_has_no_secret(registry: RegistryMaker) -> None:
    """Neither the report nor its traceback with all variables shows a secret of the file."""
    error = report(registry)
    shown = shown_by_error_pages(error)
    assert "in load" in shown
    for text in (str(error), repr(error), repr(error.problems), shown):
        assert "hunter" not in text
    assert b"hunter" not in pickle.dumps(error.problems)


def test_frame_that_reads_a_value_does_not_show_it() -> None:
    """An error page has the variables of every frame, also of one that reads a registry's entries."""
    entries = table_entries({"password": "hunter2", "table": {"inner": "hunter2"}}, ("sites", "aurora"))
    try:
        raise ValueError(len(entries))
    except ValueError as error:
        trace = traceback.TracebackException(type(error), error, error.__traceback__, capture_locals=True)
    shown = "".join(trace.format())
    assert "Entry(sites.aurora.password)" in shown
    assert "hunter2" not in next(line for line in shown.splitlines() if "entries = " in line)


def test_report_of_one_site_has_no_secret_and_no_neighbour(registry: RegistryMaker) -> None:
    """The error of one site names its own keys and the platform's, and shows no secret."""
    with pytest.raises(ConfigurationError) as refused:
        registry(MISTAKES).site("corona")
    assert {problem.site for problem in refused.value.problems} == {"", "corona"}
    assert "hunter" not in str(refused.value) + shown_by_error_pages(refused.value)
