"""A site is removed, and a new customer gets a site of the same id: nothing of the old one's is the new one's."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.attacks.customers import SITE, Customers, leave, opened_on_files, opened_on_servers
from tests.servers.postgres import Postgres
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.workshop import Workshop

pytestmark = pytest.mark.servers

OLD, NEW = {"hostnames": ["aurora.example.org"]}, {"hostnames": ["aurora.example.net"]}
EVERYTHING = ["users", "sessions", "cache", "files", "signatures"]

OPEN_BUCKET = """
import json

from django.core.files.storage import default_storage
from wagtail_multihost.exceptions import IdentityError

try:
    print(json.dumps(default_storage.exists("secret.txt")))
except IdentityError:
    print(json.dumps("IdentityError"))
"""


class Story(NamedTuple):
    """A platform whose first customer is gone, with the table that its site had, and what opens what it left."""

    customers: Customers
    table: dict[str, Any]
    left: dict[str, str]


def told(customers: Customers) -> Story:
    left = leave(customers, OLD)
    return Story(customers, customers.document()["sites"][SITE], left)


@pytest.fixture(name="on_servers", scope="module")
def _on_servers(workshop: Workshop, postgres: Postgres, redis: RedisServer, s3: S3Server) -> Story:
    return told(opened_on_servers(workshop, "reused-servers", postgres, redis, s3))


@pytest.fixture(name="on_files", scope="module")
def _on_files(workshop: Workshop) -> Story:
    return told(opened_on_files(workshop, "reused-files"))


@pytest.mark.parametrize("story", ["on_servers", "on_files"])
def test_new_customer_sees_nothing_of_the_old_one(story: str, request: pytest.FixtureRequest) -> None:
    """Users, sessions, cache, files and signatures of the old customer are found by its own site alone."""
    customers, table, left = request.getfixturevalue(story)
    customers.write(table)
    # Local memory, where the cache and its sessions are, ends with each process.
    lasting = EVERYTHING if story == "on_servers" else ["users", "files", "signatures"]
    assert customers.found(left) == lasting, "a table that comes back with its pins is the same site"
    customers.write(NEW)
    refused = customers.pin("--new", SITE)
    assert (refused.returncode, f"data/sites/{SITE} of an earlier one is still there" in refused.stderr) == (2, True)
    with customers.without_folder():
        assert customers.pin("--new", SITE).returncode == 0
        assert str(customers.spec().uid) != table["uid"]
        customers.open_site()
        assert customers.found(left) == []


def test_folder_of_the_old_customer_that_comes_back_is_refused(on_files: Story) -> None:
    """A folder that is put back after the new site has got its uid opens to nobody."""
    customers, _, _ = on_files
    customers.write(NEW)
    with customers.without_folder():
        assert customers.pin("--new", SITE).returncode == 0
    done = customers.run_as_site("check")
    assert (done.returncode, "belongs to the uid" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("story", "environment"), [("on_servers", "production"), ("on_files", "production"), ("on_files", "development")]
)
def test_id_that_comes_back_is_not_served_before_the_operator_says_whose_it_is(
    story: str, environment: str, request: pytest.FixtureRequest
) -> None:
    """No command of the site, nor one of the whole registry, takes a table of a used id without its uid."""
    customers = request.getfixturevalue(story).customers
    customers.write(NEW, environment=environment)
    for words in (("multihost_as", SITE, "migrate"), ("multihost_sites",), ("multihost_sites", "--pin")):
        done = customers.run(*words)
        assert (done.returncode, f"--new {SITE}" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_id_of_a_removed_site_gets_a_uid_and_names_of_its_own(on_servers: Story) -> None:
    """Once pins were written without the site, nobody has to say that another one of its id is another."""
    customers, table, _ = on_servers
    customers.write()
    assert customers.pin().returncode == 0
    customers.write(NEW, used=customers.document()["used"])
    with customers.without_folder():
        assert customers.pin().returncode == 0
        assert str(customers.spec().uid) != table["uid"]
        names = customers.spec().names
        assert not [key for key, name in table["names"].items() if getattr(names, key) == name]
        # Even a record that points to the old places opens none of them.
        pinned = customers.document()["sites"][SITE]
        old = table["names"]
        customers.write({**pinned, "database": {"name": old["database"], "user": old["role"]}})
        done = customers.run_as_site("migrate")
        assert (done.returncode, table["uid"] in done.stderr) == (2, True), done.stdout + done.stderr
        customers.write({**pinned, "storage": {"bucket": old["bucket"]}})
        assert customers.python(OPEN_BUCKET) == "IdentityError"


def test_names_of_the_old_customer_are_refused_to_the_new_one(on_servers: Story) -> None:
    """A uid of its own, written by hand, is not enough."""
    customers, table, _ = on_servers
    customers.write({**NEW, "uid": str(uuid4()), "names": table["names"]})
    done = customers.run_as_site("migrate")
    assert done.returncode == 2
    for key in table["names"]:
        assert f"names.{key}: The name" in done.stderr


def test_same_site_that_comes_back_without_its_pins_is_kept_by_name(on_servers: Story) -> None:
    """--keep gives a site whose table was lost the uid and the names that it had, and so its data."""
    customers, table, left = on_servers
    customers.write(OLD)
    assert customers.pin("--keep", SITE).returncode == 0
    assert str(customers.spec().uid) == table["uid"]
    assert customers.found(left) == EVERYTHING


def test_database_that_another_uid_claimed_is_told_and_not_taken(on_servers: Story) -> None:
    """Where nothing was noted, the database on the server says whose it is, and neither a new uid nor it is taken."""
    customers, table, _ = on_servers
    customers.write(OLD, used={})
    with customers.without_folder():
        for options in ((), ("--keep", SITE)):
            done = customers.pin(*options)
            assert (done.returncode, f"uid {table['uid']}" in done.stderr) == (2, True), done.stderr
