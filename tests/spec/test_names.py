"""Names in servers that sites share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.spec.hostile import HOSTILE_TEXT, LOOKALIKES
from tests.spec.samples import problem_keys
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.names import Names, derive_names, is_bucket, is_reserved_bucket

PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789.-"
SLUGS = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True)
# "xn", "sthree…" and "amzn-s3-demo…" are no platform names.
PLATFORMS = SLUGS.map(lambda name: f"p{name}"[:20].rstrip("-"))
SITES = SLUGS.map(lambda name: name[:40].rstrip("-"))
CLOSE_PARTS = st.lists(st.sampled_from(["a", "b", "1b", "s3", "x-s3"]), min_size=1, max_size=4)
CLOSE_PAIRS = st.tuples(CLOSE_PARTS, CLOSE_PARTS).map(lambda pair: (f"p{'-'.join(pair[0])}", f"s{'-'.join(pair[1])}"))
PAIRS = st.one_of(st.tuples(PLATFORMS, SITES), CLOSE_PAIRS)

# Some hostile hostnames are harmless here: dots and hyphens may stand anywhere in a key prefix.
HOSTILE_VALUES = ("", 7, *(text for text in (*HOSTILE_TEXT, *LOOKALIKES) if set(text) - set(PLAIN)))
VALID = derive_names("aviary", "aurora")


@given(PAIRS)
def test_names_that_are_derived_keep_the_limits_of_every_server(pair: tuple[str, str]) -> None:
    """A derived name fits the server that takes it."""
    names = derive_names(*pair)
    assert len(names.database.encode()) <= 54
    assert names.role == names.database
    assert 3 <= len(names.bucket) <= 63
    assert is_bucket(names.bucket)
    assert not is_reserved_bucket(names.bucket)
    assert ":" not in names.key_prefix
    assert names.key_prefix == ".".join(pair)


@example(("a-b", "c"), ("a", "b-c"))
@example(("p" * 20, "a" * 39 + "b"), ("p" * 20, "a" * 39 + "c"))
@given(PAIRS, PAIRS)
def test_names_of_two_sites_are_never_shared(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Two different pairs of platform and site have no database, bucket or key prefix in common."""
    if first != second:
        one, other = derive_names(*first), derive_names(*second)
        assert one.database != other.database
        assert one.bucket != other.bucket
        assert one.key_prefix != other.key_prefix


@example(("p", "a-b"), ("p", "a"))
@example(("p-a", "b"), ("p", "a"))
@given(PAIRS, PAIRS)
def test_index_prefix_never_starts_with_that_of_another_site(first: tuple[str, str], second: tuple[str, str]) -> None:
    """No index prefix is a prefix of another's, since search servers match names by prefix."""
    if first != second:
        assert not derive_names(*first).index_prefix.startswith(derive_names(*second).index_prefix)


@pytest.mark.parametrize("site", ["x-s3", "ol-s3", "s3alias", "a-s3alias", "table-s3", "mrap"])
def test_bucket_of_a_site_with_a_reserved_ending_is_not_reserved(site: str) -> None:
    """A site id that would end in a suffix reserved by S3 gets a bucket name with a digest."""
    assert not is_reserved_bucket(derive_names("aviary", site).bucket)


def test_names_are_what_the_documentation_says() -> None:
    """The rules of derived names are fixed: data is kept under them."""
    assert derive_names("my-aviary", "north-wind") == Names(
        database="my_aviary__north_wind",
        role="my_aviary__north_wind",
        bucket="my-aviary--north-wind",
        key_prefix="my-aviary.north-wind",
        index_prefix="my-aviary_north-wind_",
        socket="north-wind.sock",
    )


def test_database_name_over_the_limit_ends_in_a_digest() -> None:
    """A long database name keeps its start and differs from the name of a site with the same start."""
    first, second = derive_names("p" * 20, "a" * 39 + "b").database, derive_names("p" * 20, "a" * 39 + "c").database
    assert first[:43] == second[:43]
    assert first != second
    assert len(first) == 54


@pytest.mark.parametrize("key", Names.__slots__)
@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=ascii)
def test_name_that_is_hostile_is_refused(key: str, value: object) -> None:
    """A pinned name with hostile text is refused under its key."""
    with pytest.raises(ConfigurationError) as refused:
        replace(VALID, **{key: value})
    assert problem_keys(refused.value) == [key]
    assert str(refused.value).isascii()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("database", "d" * 55),
        ("role", "r" * 64),
        ("bucket", "ab"),
        ("bucket", "b" * 64),
        ("bucket", "xn--a"),
        ("bucket", "sthree-a"),
        ("bucket", "amzn-s3-demo-a"),
        ("bucket", "a-s3alias"),
        ("bucket", "a--x-s3"),
        ("key_prefix", "a:b"),
        ("key_prefix", "k" * 81),
        ("index_prefix", "no-underscore"),
        ("index_prefix", "*_"),
        ("socket", "../a.sock"),
        ("socket", "a.socket"),
    ],
)
def test_name_outside_the_limits_is_refused(key: str, value: str) -> None:
    """A pinned name that its server would cut, reserve or misread is refused under its key."""
    with pytest.raises(ConfigurationError) as refused:
        replace(VALID, **{key: value})
    assert problem_keys(refused.value) == [key]
