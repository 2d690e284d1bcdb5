"""What a site claims, piece by piece, and what is said where two claim one thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.spec.samples import a_site, files, postgresql, redis, s3
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.accounts import account_problems
from wagtail_multihost.registry.claims import UNSHOWN, Claim, secret_mark, shared_problem, site_claims, site_label
from wagtail_multihost.registry.uniqueness import conflict_problems, shared_key_problems
from wagtail_multihost.spec import FrontendCacheSpec, MailSpec, PlatformSpec, Secret, SystemdOptions, derive_names
from wagtail_multihost.spec.declared import find_secrets

UID = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
BARE = {
    Claim("uid", UID, "uid"),
    Claim("hostname", "aurora.example.org", "hostnames"),
    Claim("hostname", "www.aurora.example.org", "hostnames"),
    Claim("hostname", "aurora.example.net", "aliases"),
    Claim("bucket name", "aviary--aurora", "names"),
    Claim("key prefix", "aviary.aurora", "names"),
    Claim("socket", "aurora.sock", "names"),
    Claim("database name", "aviary__aurora", "names"),
    Claim("role", "aviary__aurora", "names"),
}


def secret(name: str) -> Secret:
    return Secret.from_environment(name, {})


def test_site_claims_its_names_and_hosts() -> None:
    """A site with local parts claims no more than its uid, hosts and names."""
    assert set(site_claims(a_site())) == BARE


def test_site_claims_its_servers_accounts_and_keys() -> None:
    """Each database, bucket, account, zone and key is claimed in one spelling, under the key that says it."""
    site = a_site(
        database=postgresql(host="DB.internal", port=5433),
        cache=redis(),
        storage=s3(
            **{"endpoint": "https://S3.example:443", "domain": "cdn.example"},
            **{"access_key": secret("ACCESS"), "secret_key": secret("BUCKET")},
        ),
        secret_key=secret("KEY"),
        secret_key_fallbacks=(secret("OLD"), Secret.from_file(Path("/etc/older"))),
        probe_key=secret("PROBE"),
        mail=MailSpec(host="MX.internal", username="aurora", password=secret("MAIL")),
        frontend=FrontendCacheSpec(backend="cloudflare", zone="Z1", token=secret("TOKEN")),
        sources={"mail.username": "sites.aurora.mail.username"},
    )
    assert set(site_claims(site)) - BARE == {
        Claim("database", "aviary__aurora on db.internal:5433", "database"),
        Claim("database user", "aviary__aurora on db.internal:5433", "database"),
        Claim("bucket", "aviary--aurora at s3.example", "storage"),
        Claim("hostname", "cdn.example", "storage"),
        Claim("storage's access key", "env:ACCESS at s3.example", "storage"),
        Claim("storage's secret key", "env:BUCKET at s3.example", "storage"),
        Claim("secret key", "env:KEY", "secret_key"),
        Claim("secret key", "env:OLD", "secret_key"),
        Claim("secret key", "/etc/older", "secret_key"),
        Claim("probe key", "env:PROBE", "probe_key"),
        Claim("mail account", "aurora on mx.internal", "mail"),
        Claim("frontend zone", "z1 of cloudflare", "frontend"),
    }


def test_site_claims_nothing_that_it_does_not_have() -> None:
    """A bucket at Amazon has no other address; without a domain, accounts and a zone none is claimed."""
    site = a_site(
        storage=s3(access_key=None, secret_key=None),
        mail=MailSpec(host="mx.internal"),
        frontend=FrontendCacheSpec(backend="http", location="http://127.0.0.1:6081"),
    )
    assert set(site_claims(site)) - BARE == {Claim("bucket", "aviary--aurora at S3", "storage")}
    platforms = a_site(mail=MailSpec(host="mx.internal", username="aurora", password=secret("MAIL")))
    assert set(site_claims(platforms)) == BARE, "an account of the platform, which all sites may have"


def test_every_secret_of_a_site_is_known() -> None:
    """Whatever holds a secret is asked for it, so that none of their files lies in a site's folder."""
    site = a_site(
        database=postgresql(password=secret("database")),
        cache=redis(password=secret("cache")),
        storage=s3(access_key=secret("access"), secret_key=secret("secret")),
        secret_key=secret("key"),
        secret_key_fallbacks=(secret("fallback"),),
        probe_key=secret("probe"),
        mail=MailSpec(host="mx.internal", username="aurora", password=secret("mail")),
        frontend=FrontendCacheSpec(backend="cloudflare", zone="z1", token=secret("token")),
    )
    found = sorted(one.variable for one in find_secrets(site))
    assert found == ["access", "cache", "database", "fallback", "key", "mail", "probe", "secret", "token"]
    cloudfront = {"access_key": secret("front access"), "secret_key": secret("front secret")}
    other = a_site(frontend=FrontendCacheSpec(backend="cloudfront", zone="z1", **cloudfront))
    assert sorted(one.variable for one in find_secrets(other)) == ["front access", "front secret"]
    assert list(find_secrets(a_site())) == []


def test_secret_has_the_mark_of_its_file_its_variable_or_its_value() -> None:
    """Two secrets that are one have one mark, and one that cannot be read has none."""
    assert secret_mark(None) == ""
    assert secret_mark(Secret.from_file(Path("/etc/key"))) == "/etc/key"
    assert secret_mark(secret("KEY")) == "env:KEY"
    assert secret_mark(Secret("a")) == secret_mark(Secret("a")) != secret_mark(Secret("b"))
    assert secret_mark(Secret("a")).startswith(UNSHOWN)
    assert secret_mark(Secret.computed(lambda: secret("KEY").reveal())) == ""


def test_place_of_a_key_is_the_sites_own_or_else_its_record() -> None:
    """What came from the platform is no fault of its table: the site's record is named."""
    site = a_site(
        sources={"id": "f: sites.aurora", "cache": "f: platform.cache", "database": "f: sites.aurora.database"}
    )
    assert site_label(site, "database") == "f: sites.aurora.database"
    assert [site_label(site, key) for key in ("cache", "storage", "id")] == ["f: sites.aurora"] * 3
    assert site_label(a_site(), "database") == "sites.aurora"


def test_shared_thing_is_told_with_both_sites() -> None:
    """The problem is at the second site, with the name of the thing, unless that would tell about a secret."""
    first, second = a_site(), a_site(id="borealis", sources={"id": "f: b", "cache": "f: b.cache"})
    assert shared_problem("bucket", "b\n", first, second, "cache") == Problem(
        "f: b.cache",
        r"The bucket 'b\n' belongs to the sites aurora and borealis; each must have its own.",
        "borealis",
        "aurora",
    )
    told = shared_problem("secret key", f"{UNSHOWN}0123", first, second, "cache")
    assert told.message == "The secret key belongs to the sites aurora and borealis; each must have its own."


def named(site: str, **names: str) -> object:
    own = replace(derive_names("aviary", site), **names)
    hosts = {"hostnames": (f"{site}.example.org",), "aliases": ()}
    uid = PlatformSpec(name="aviary", data=Path("/d")).uid_of(site)
    return a_site(id=site, uid=uid, names=own, storage=files(path=Path(f"/srv/{site}")), **hosts)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({}, {}, []),
        ({"index_prefix": "a_"}, {"index_prefix": "a_b_"}, ["The index prefix 'a_' belongs to the sites aurora and b"]),
        ({"index_prefix": "a_b_"}, {"index_prefix": "a_"}, ["The index prefix 'a_' belongs to the sites b and aurora"]),
        ({"index_prefix": "a_"}, {"index_prefix": "ab_"}, []),
        ({"key_prefix": "a"}, {"key_prefix": "a.b"}, ["The key prefix 'a' belongs to the sites aurora and b"]),
        ({"key_prefix": "a.b"}, {"key_prefix": "a"}, ["The key prefix 'a' belongs to the sites b and aurora"]),
        ({"key_prefix": "a"}, {"key_prefix": "a-b"}, []),
        ({"key_prefix": "a"}, {"key_prefix": "ab"}, []),
    ],
)
def test_prefix_that_begins_another_is_told(first: dict[str, str], second: dict[str, str], told: list[str]) -> None:
    """Search servers match by prefix, and further aliases of a cache go on with a dot: neither may be another's."""
    found = list(conflict_problems([named("aurora", **first), named("b", **second)]))  # type: ignore[list-item]
    assert [problem.message.partition(";")[0] for problem in found] == told


def test_keys_that_two_sites_have_are_told_at_the_second() -> None:
    """Wherever each keeps it, one key of two sites is a problem, and two keys or none are not."""
    first = a_site(secret_key=Secret("k" * 50))
    for source, place in (({"secret_key": "f: k"}, "f: k"), ({"secret_key_file": "f: kf"}, "f: kf"), ({}, "sites.b")):
        second = a_site(id="b", secret_key=Secret("l" * 50), secret_key_fallbacks=(Secret("k" * 50),), sources=source)
        message = "The sites aurora and b have the same secret key; each must have its own."
        assert list(shared_key_problems([first, a_site(id="c"), second])) == [Problem(place, message, "b", "aurora")]
    twice = a_site(secret_key=Secret("k" * 50), secret_key_fallbacks=(Secret("k" * 50),))
    assert list(shared_key_problems([twice, a_site(id="c"), a_site(id="d")])) == []


def platform(**changes: object) -> PlatformSpec:
    return PlatformSpec(**{"name": "aviary", "data": Path("/srv/data"), **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"user": "root"}, [("platform.user", "Sites must not run as root", "")]),
        ({"user": "root", "sources": {"user": "f: u"}}, [("f: u", "Sites must not run as root", "")]),
        ({"options": (SystemdOptions(user="root"),)}, [("platform.systemd", "Its user is root. Sites must", "")]),
        ({"options": (SystemdOptions(user="rooty"),), "user": "rooty"}, []),
        ({"group": "root"}, []),
        *(
            ({key: f"{'a' * count}{{site}}"}, [(f"platform.{key}", f"The {key} '", "aurora")] if count > 26 else [])
            for key in ("user", "group", "media_group")
            for count in (26, 27)
        ),
        *(({key: "ww{site}"}, []) for key in ("user", "group", "media_group")),
        (
            {"media_group": "site-{site}", "group": "site-{site}"},
            [("platform.media_group", "The media_group 's", "aurora")],
        ),
        (
            {"media_group": "site-{site}", "user": "site-{site}"},
            [("platform.media_group", "The media_group 's", "aurora")],
        ),
        ({"media_group": "front", "group": "front"}, [("platform.media_group", "The media_group 'front'", "aurora")]),
        ({"media_group": "media-{site}", "group": "site-{site}", "user": "site-{site}"}, []),
    ],
)
def test_account_that_a_site_must_not_have_is_told(
    changes: dict[str, object], told: list[tuple[str, str, str]]
) -> None:
    """Root, the names of the system, names that are too long, and a group of uploads that is the site's own."""
    site = a_site(storage=files(path=Path("/srv/uploads/aurora")))
    found = list(account_problems(platform(**changes), [site]))
    assert [(problem.where, problem.site) for problem in found] == [(place, site) for place, _, site in told]
    assert all(problem.message.startswith(start) for problem, (_, start, _) in zip(found, told, strict=True))


@pytest.mark.parametrize("key", ["user", "group", "media_group"])
def test_account_of_the_system_is_no_sites(key: str) -> None:
    """A site whose id makes such a name of the template would have the system's rights."""
    site = a_site(id="data", storage=files(path=Path("/srv/uploads/data")))
    [problem] = account_problems(platform(**{key: "www-{site}"}), [site])
    assert (problem.where, problem.site) == (f"platform.{key}", "data")
    assert problem.message.startswith(f"The {key} 'www-data' of the site data belongs to the system.")


@pytest.mark.parametrize(("path", "is_told"), [("/srv/data/sites/aurora/media", True), ("/srv/data/uploads", False)])
def test_uploads_that_the_front_server_cannot_reach_are_told(path: str, is_told: bool) -> None:
    """Only the site's own group enters the folder of a site; without a group of uploads none has to."""
    site = a_site(storage=files(path=Path(path)))
    found = list(account_problems(platform(media_group="front"), [site]))
    assert [problem.message.startswith("The uploads of the site aurora are in") for problem in found] == [
        True
    ] * is_told
    assert list(account_problems(platform(), [site])) == []
    assert list(account_problems(platform(media_group="front"), [a_site(storage=s3())])) == []
