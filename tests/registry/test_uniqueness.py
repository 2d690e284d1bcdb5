"""What no two sites of one registry may share."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.spec.samples import a_site, files, postgresql, s3, sqlite
from wagtail_multihost.exceptions import ConfigurationError, SecretUnreadableError
from wagtail_multihost.registry.claims import secret_mark
from wagtail_multihost.registry.uniqueness import conflict_problems
from wagtail_multihost.spec import Secret, derive_names

NETWORKED = 'database = { engine = "postgresql", host = "db", password = "p"'
BUCKET = 'storage = { backend = "s3", bucket = "shared"'
KEYS = 'storage = { backend = "s3"'
MAIL = 'mail = { username = "shared", password = "p", host'
ZONE = 'frontend = { backend = "cloudflare", token = "t", zone'
KEY = "k" * 50


@pytest.mark.parametrize(
    ("own", "other", "what"),
    [
        ('aliases = ["shared.example"]', 'aliases = ["shared.example"]', "hostname"),
        ("", 'aliases = ["AURORA.example.org"]', "hostname"),
        ('aliases = ["b\u00fccher.example"]', 'aliases = ["xn--bcher-kva.example"]', "hostname"),
        ('uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"', 'uid = "6F1C2B0E-4A0D-5C8E-9B1F-2D3C4B5A6978"', "uid"),
        ("", 'names = { bucket = "aviary--aurora" }', "bucket name"),
        ("", 'names = { key_prefix = "aviary.aurora" }', "key prefix"),
        ("", 'names = { socket = "aurora.sock" }', "socket"),
        ("", 'names = { database = "aviary__aurora" }', "database name"),
        ("", 'names = { role = "aviary__aurora" }', "role"),
        ("", 'names = { index_prefix = "aviary_aurora_" }', "index prefix"),
        ("", 'names = { index_prefix = "aviary_aurora_b_" }', "index prefix"),
        ("", 'names = { index_prefix = "aviary_" }', "index prefix"),
        ('database = "sqlite:///shared.db"', 'database = "sqlite:///./shared.db"', "file"),
        ('storage = "file:///srv/shared"', 'storage = "file:///srv/shared/"', "file"),
        ('database = "sqlite:////srv/shared"', 'storage = "file:///srv/shared"', "file"),
        (f'{NETWORKED}, name = "shared" }}', f'{NETWORKED}, name = "shared" }}', "database"),
        (f'{NETWORKED}, user = "shared" }}', f'{NETWORKED}, user = "shared" }}', "database user"),
        (f"{BUCKET} }}", f"{BUCKET} }}", "bucket"),
        (f'{BUCKET}, endpoint = "https://s3.example" }}', f'{BUCKET}, endpoint = "https://s3.example/" }}', "bucket"),
        (f'{BUCKET}, endpoint = "https://S3.example:443" }}', f'{BUCKET}, endpoint = "http://s3.example" }}', "bucket"),
        (f"{BUCKET} }}", f'{BUCKET}, endpoint = "https://s3.eu-west-1.amazonaws.com" }}', "bucket"),
        (f"{BUCKET} }}", f'{BUCKET}, region = "eu-west-1" }}', "bucket"),
        ("", f'{KEYS}, domain = "aurora.example.org" }}', "hostname"),
        (f'{KEYS}, domain = "cdn.example.org" }}', f'{KEYS}, domain = "cdn.example.org" }}', "hostname"),
        (f'{ZONE} = "z1" }}', f'{ZONE} = "Z1" }}', "frontend zone"),
        (f'{MAIL} = "mx.example" }}', f'{MAIL} = "MX.example", port = 465 }}', "mail account"),
        (f'{NETWORKED}, name = "n", user = "u" }}', f'{NETWORKED}, name = "test_n", user = "v" }}', "test database"),
    ],
)
def test_sites_that_share_a_thing_are_refused(registry: RegistryMaker, own: str, other: str, what: str) -> None:
    """Whatever two sites share is one problem that names the thing and both sites."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{HEAD}{AURORA}{own}\n{BOREALIS}{other}\n").load()
    [problem] = refused.value.problems
    assert problem.message.startswith(f"The {what} '")
    assert {"aurora", "borealis"} <= set(problem.message.replace(";", "").split())
    assert {problem.site} <= {"aurora", "borealis"}


SECRETS = [
    ('secret_key = "env:KEY"', 'secret_key = "env:KEY"', "secret key 'env:KEY'", "secret_key"),
    ('secret_key_file = "keys/a"', 'secret_key_file = "./keys/a"', "secret key '/", "secret_key"),
    (f'secret_key = "{KEY}"', f'secret_key = "{KEY}"', "secret key belongs", "secret_key"),
    (f'secret_key_fallbacks = ["{KEY}"]', f'secret_key = "{KEY}"', "secret key belongs", "secret_key"),
    (
        f'{KEYS}, access_key = "{KEY}", secret_key = "s" }}',
        f'{KEYS}, access_key = "{KEY}", secret_key = "t" }}',
        "storage's access key belongs",
        "storage",
    ),
    (
        f'{KEYS}, access_key = "a", secret_key_file = "keys/a" }}',
        f'{KEYS}, access_key = "b", secret_key_file = "keys/a" }}',
        "storage's secret key '/",
        "storage",
    ),
]


@pytest.mark.parametrize(("own", "other", "what", "key"), SECRETS)
def test_sites_that_share_a_secret_are_refused(
    registry: RegistryMaker, own: str, other: str, what: str, key: str
) -> None:
    """A key that two sites have is found by its file, its variable or its value, which is never shown."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{HEAD}{AURORA}{own}\n{BOREALIS}{other}\n").load()
    problems = [problem for problem in refused.value.problems if " is inside " not in problem.message]
    assert [problem.message.startswith(f"The {what}") for problem in problems] == [True]
    assert problems[0].where.startswith("sites.toml: sites.borealis")
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (f'{NETWORKED}, password_file = "keys/db" }}'.replace(', password = "p"', ""), ""),
        (f'{ZONE} = "z1" }}', f'{ZONE} = "z2" }}'),
        (f'{ZONE} = "z1" }}', 'frontend = { backend = "cloudfront", zone = "z1" }'),
        (*["frontend = { backend = 'http', location = 'http://varnish:80' }"] * 2,),
        (f'{MAIL} = "a.example" }}', f'{MAIL} = "b.example" }}'),
        (f'{KEYS}, access_key = "a", secret_key = "s" }}', f'{KEYS}, access_key = "b", secret_key = "t" }}'),
        (f'{KEYS}, access_key_file = "keys/{{site}}", secret_key = "s" }}', ""),
    ],
)
def test_sites_that_share_what_may_be_shared_are_accepted(registry: RegistryMaker, own: str, other: str) -> None:
    """Passwords that are equal, one proxy or one account's token, and templates with the site's id are no conflict."""
    other = other or own.replace('"s"', '"t"')
    assert len(registry(f"{HEAD}{AURORA}{own}\n{BOREALIS}{other}\n").load().sites) == 2


def test_sites_may_use_the_platforms_mail_account(registry: RegistryMaker) -> None:
    """An account that the platform states is shared on purpose, also by a site that changes another key of it."""
    head = f'{HEAD}mail = {{ host = "mx.example", username = "u", password = "p" }}\n'
    assert len(registry(f"{head}{AURORA}mail = {{ timeout = 20 }}\n{BOREALIS}").load().sites) == 2


def test_sites_of_a_keyring_may_have_no_other_sites_key(registry: RegistryMaker) -> None:
    """A site's own fallback is no conflict with its own key."""
    text = f'{HEAD}{AURORA}secret_key = "{KEY}"\nsecret_key_fallbacks = ["{KEY}"]\n{BOREALIS}'
    assert len(registry(text).load().sites) == 2


def test_key_that_cannot_be_read_is_compared_with_none() -> None:
    """Where a value is not known, nothing is said about it."""

    def unreadable() -> str:
        raise SecretUnreadableError("no")

    assert secret_mark(Secret.computed(unreadable)) == secret_mark(None) == ""


def test_sites_that_share_a_hostname_are_told_where_it_is_written(registry: RegistryMaker) -> None:
    """The problem of a shared hostname has the key of the second site that has it."""
    with pytest.raises(ConfigurationError) as refused:
        registry(HEAD + AURORA + '[sites.borealis]\nhostnames = ["aurora.example.org"]\n').load()
    assert [problem.where for problem in refused.value.problems] == ["sites.toml: sites.borealis.hostnames"]


def test_sites_with_the_same_names_on_different_servers_are_accepted(registry: RegistryMaker) -> None:
    """The same bucket, database and user name on another server are other things."""
    own = f'{BUCKET} }}\ndatabase = {{ engine = "postgresql", host = "a", password = "p", name = "n", user = "u" }}\n'
    other = own.replace('"a", password', '"b", password').replace(" }\nd", ', endpoint = "https://s3.example" }\nd')
    assert len(registry(HEAD + AURORA + own + BOREALIS + other).load().sites) == 2


def test_sites_that_are_disabled_keep_what_is_theirs(registry: RegistryMaker) -> None:
    """A disabled site's hostname is not free: it may be enabled again."""
    with pytest.raises(ConfigurationError, match="belongs to the sites"):
        registry(HEAD + AURORA + "enabled = false\n" + BOREALIS + 'aliases = ["aurora.example.org"]\n').load()


def test_sites_whose_shortened_names_were_made_to_collide_are_refused() -> None:
    """A site id made to equal another site's shortened database name is found."""
    long = derive_names("p" * 20, "a" * 40)
    imitation = long.database.removeprefix(f"{'p' * 20}__").replace("_", "-")
    copied = derive_names("p" * 20, imitation)
    assert copied.database == long.database
    sites = [
        a_site(id=name, names=names, hostnames=(f"{name}.example",), aliases=(), database=database, storage=storage)
        for name, names, database, storage in (
            ("a" * 40, long, postgresql(name="x", user="x"), s3(bucket="one")),
            (imitation, copied, sqlite(), files()),
        )
    ]
    found = {problem.message.split(" '")[0] for problem in conflict_problems(sites)}
    assert found >= {"The database name", "The role"}


def test_one_site_never_conflicts_with_itself() -> None:
    """A site alone has no conflicts."""
    assert list(conflict_problems([a_site()])) == []


def test_key_prefix_of_another_sites_cache_alias_is_refused(registry: RegistryMaker) -> None:
    """A pinned prefix cannot be the one that a further cache alias of a neighbour gets."""
    with pytest.raises(ConfigurationError) as caught:
        registry(f'{HEAD}\n{AURORA}\n{BOREALIS}\nnames = {{ key_prefix = "aviary.aurora.renditions" }}\n').load()
    assert "key prefix" in caught.value.problems[0].message
