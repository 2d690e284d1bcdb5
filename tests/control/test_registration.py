"""Registration: the only writer, with all that it refuses."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from wagtail.models import ModelLogEntry

from tests.control.fleet import OPERATOR, Fleet, uid_of
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.changes import (
    ClashError,
    CreateSite,
    EditPlatform,
    EditSite,
    NotAllowedError,
    RetireSite,
    StaleRecordError,
    UnconfirmedError,
    UnknownSiteError,
)
from wagtail_multihost.control.edits import (
    add_hostname,
    make_canonical,
    merge_patch,
    remove_hostname,
    replace_record,
    set_value,
)
from wagtail_multihost.control.models import Event, HeldName, Hostname, ManagedSite
from wagtail_multihost.control.registration import raise_head
from wagtail_multihost.exceptions import ConfigurationError


def messages(error: ConfigurationError) -> list[str]:
    return [f"{problem.where}: {problem.message}" for problem in error.problems]


def test_new_site_is_pinned_and_announced(fleet: Fleet) -> None:
    before = fleet.revision
    outcome = fleet.apply(CreateSite("aurora", {"hostnames": ["Aurora.example.com"]}), reason="a customer")
    site = fleet.site("aurora")
    assert site.record["uid"] == str(site.uid)
    assert uid_of(site).version == 4
    assert site.record["names"]["database"] == "aviary__aurora"
    assert outcome.revision == fleet.revision == before + 1
    event = Event.objects.get(revision=outcome.revision)
    assert (event.type, event.site, event.actor, event.metadata["reason"]) == (
        "site.created",
        "aurora",
        "operator:root",
        "a customer",
    )
    entry = ModelLogEntry.objects.get(object_id=str(site.uid))
    assert {"key": "hostnames", "before": None, "after": ["Aurora.example.com"]} in entry.data["changes"]
    assert [(host.name, host.role) for host in Hostname.objects.all()] == [("aurora.example.com", "hostname")]
    assert HeldName.objects.filter(site=site, what="hostname").get().name == "aurora.example.com"


def test_change_of_nothing_makes_no_event(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    before = fleet.revision
    assert fleet.apply(EditSite(site.uid, replace_record(site.record))).changed == ()
    assert fleet.revision == before


def test_dry_run_writes_nothing(fleet: Fleet) -> None:
    before = fleet.revision
    outcome = fleet.apply(CreateSite("aurora", {"hostnames": ["a.example.com"]}), dry_run=True)
    assert [changed.type for changed in outcome.changed] == ["site.created"]
    assert (fleet.revision, ManagedSite.objects.count()) == (before, 0)


def test_all_problems_come_at_once_under_the_words_of_people(fleet: Fleet) -> None:
    changes = [CreateSite("aurora", {"hostnames": ["no host"], "colour": "red"}), CreateSite("borealis", {})]
    with pytest.raises(ConfigurationError) as raised:
        fleet.apply(*changes)
    found = messages(raised.value)
    assert len(found) == 3
    assert any(message.startswith("Site aurora: hostnames: ") for message in found)
    assert any("'colour' is not known" in message for message in found)
    assert "Site borealis: hostnames: It is missing: a site needs at least one hostname." in found


@pytest.mark.parametrize(
    ("record", "where"),
    [
        ({"database": {"engine": "postgresql", "host": "db", "password": "hunter2"}}, "database.password"),
        ({"secret_key": "k" * 60}, "secret_key"),
        ({"database": "postgresql://u:hunter2@db/x"}, "database"),
        ({"code": {"directory": "/srv/evil"}}, "code.directory"),
        ({"database": {"path": "/etc/shadow"}}, "database.path"),
        ({"project_settings": {"KEY_file": "/etc/shadow"}}, "project_settings.KEY_file"),
        ({"nginx": {"site_include": "/etc/passwd"}}, "nginx.site_include"),
        ({"cache": {"backend": "redis", "host": "r", "password": "sealed:abc"}}, "cache.password"),
    ],
)
def test_secrets_and_keys_of_nodes_never_enter(fleet: Fleet, record: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        fleet.apply(CreateSite("aurora", {"hostnames": ["a.example.com"], **record}))
    assert [problem.where for problem in raised.value.problems] == [f"Site aurora: {where}"]
    assert "hunter2" not in str(raised.value)
    with pytest.raises(ConfigurationError):
        fleet.apply(EditPlatform(merge_patch({"user": "root"})))


def test_references_are_accepted_and_masked(fleet: Fleet) -> None:
    database = {"engine": "postgresql", "host": "db", "password_file": "/etc/multihost/secrets/aurora/db"}
    site = fleet.add("aurora", database=database)
    entry = ModelLogEntry.objects.get(object_id=str(site.uid))
    shown = {row["key"]: row["after"] for row in entry.data["changes"]}
    assert shown["database.password_file"] == "•••"
    assert shown["database.host"] == "db"


def test_site_on_postgresql_needs_no_reference_here(fleet: Fleet) -> None:
    """The node's own file has the password, or the platform's table there."""
    fleet.apply(EditPlatform(merge_patch({"database": {"engine": "postgresql", "host": "db"}})))
    assert fleet.add("aurora").record.get("database") is None
    fleet.add("borealis", tls={"pending": ["borealis.example.com"]}, env={"TIER": "gold"})


def test_names_are_nobody_elses(fleet: Fleet) -> None:
    fleet.add("aurora", "shared.example.com")
    with pytest.raises(ConfigurationError) as raised:
        fleet.add("borealis", "SHARED.example.com")
    assert messages(raised.value) == [
        "Site borealis: hostnames: The hostname 'shared.example.com' belongs to the site aurora; each site must have "
        "its own."
    ]
    assert raised.value.problems[0].other == "aurora"


def test_two_new_sites_cannot_share_a_name(fleet: Fleet) -> None:
    changes = [CreateSite(name, {"hostnames": ["shared.example.com"]}) for name in ("aurora", "borealis")]
    with pytest.raises(ConfigurationError, match="belongs to the site aurora"):
        fleet.apply(*changes)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            {"storage": {"backend": "s3", "endpoint": "https://files.example.net"}},
            {"hostnames": ["files.example.net"]},
        ),
        ({"csrf_cookie": "token"}, {"csrf_cookie": "token"}),
        (
            {"database": {"engine": "postgresql", "host": "db", "name": "shop"}},
            {"database": {"engine": "postgresql", "host": "db", "name": "test_shop", "user": "other"}},
        ),
    ],
    ids=["file host", "cookie", "test database"],
)
def test_rules_between_sites_hold_in_both_orders(fleet: Fleet, first: dict, second: dict) -> None:
    for one, other in ((first, second), (second, first)):
        with transaction.atomic():
            fleet.add("aurora", **{"hostnames": ["a.example.com"], **one} if "hostnames" in one else one)
            with pytest.raises(ConfigurationError, match="belongs to the site aurora"):
                changes = {"hostnames": ["b.example.com"], **other}
                fleet.apply(CreateSite("borealis", changes))
            transaction.set_rollback(True)


def test_retired_id_is_free_but_its_names_are_not(fleet: Fleet) -> None:
    first = fleet.add("aurora")
    fleet.apply(RetireSite(first.uid))
    second = fleet.add("aurora")
    assert first.uid != second.uid
    assert second.record["names"]["database"].startswith("aviary__aurora__")
    assert set(second.record["names"].values()).isdisjoint(first.record["names"].values())
    assert ManagedSite.objects.filter(identifier="aurora").count() == 2


def test_uid_and_names_cannot_be_stated(fleet: Fleet) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis")
    for key, value in (("uid", str(other.uid)), ("names", other.record["names"])):
        with pytest.raises(ConfigurationError, match="It never changes"):
            fleet.apply(EditSite(site.uid, set_value((key,), value)))
        with pytest.raises(ConfigurationError, match="it is given"):
            fleet.apply(CreateSite("corona", {"hostnames": ["c.example.com"], key: value}))


def test_stale_record_is_refused(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"]), expected=1))
    with pytest.raises(StaleRecordError, match="generation 2, not 1"):
        fleet.apply(EditSite(site.uid, set_value(("admins",), []), expected=1))


def test_people_change_their_own_sites_and_their_own_keys(fleet: Fleet) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis", "secret-name.example.com")
    person = fleet.authority("ada", aurora="change")
    fleet.apply(EditSite(site.uid, set_value(("admins",), ["ada@example.com"])), by=person)
    for key, value in (("epoch", 2), ("enabled", False), ("env", {"A": "b"}), ("labels", {"plan": "gold"})):
        with pytest.raises(NotAllowedError):
            fleet.apply(EditSite(site.uid, set_value((key,), value)), by=person)
    with pytest.raises(UnknownSiteError):
        fleet.apply(EditSite(other.uid, set_value(("admins",), ["ada@example.com"])), by=person)
    with pytest.raises(NotAllowedError):
        fleet.apply(CreateSite("corona", {"hostnames": ["c.example.com"]}), by=person)
    with pytest.raises(NotAllowedError):
        fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})), by=person)


@pytest.mark.parametrize(("before", "after"), [(None, "suspended"), ("suspended", None), ("suspended", "maintenance")])
def test_suspension_is_for_operators_of_the_platform(fleet: Fleet, before: str | None, after: str | None) -> None:
    """A site's own people, whatever right over it they have, neither suspend it nor end that."""
    site = fleet.add("aurora", **({"state": before} if before else {}))
    change = EditSite(site.uid, set_value(("state",), after))
    with pytest.raises(NotAllowedError, match="suspend the site"):
        fleet.apply(change, by=fleet.authority("ada", aurora="admin"))
    assert fleet.site("aurora").record.get("state") == before
    fleet.apply(change)
    assert fleet.site("aurora").record.get("state") == after


def test_id_of_another_site_is_not_told_by_a_refusal(fleet: Fleet) -> None:
    fleet.add("borealis")
    fleet.add("aurora")
    person = fleet.authority("ada", aurora="admin")
    said = set()
    for identifier in ("borealis", "nowhere"):
        with pytest.raises(NotAllowedError) as raised:
            fleet.apply(CreateSite(identifier, {"hostnames": ["free.example.com"]}), by=person)
        said.add(str(raised.value))
    assert len(said) == 1


def test_clash_is_told_apart_from_other_problems(fleet: Fleet) -> None:
    fleet.add("aurora")
    with pytest.raises(ClashError, match="There is a site 'aurora' already"):
        fleet.apply(CreateSite("aurora", {"hostnames": ["free.example.com"]}))
    with pytest.raises(ClashError, match="belongs to the site aurora"):
        fleet.apply(CreateSite("borealis", {"hostnames": ["aurora.example.com"]}))


@pytest.mark.parametrize("name", ["aurora.example.com", "AURORA.example.com"])
def test_hostname_is_found_however_the_record_writes_it(fleet: Fleet, name: str) -> None:
    site = fleet.add("aurora", "kept.example.com", "Aurora.example.com")
    assert fleet.apply(EditSite(site.uid, add_hostname(name, "hostname"))).changed == ()
    fleet.apply(EditSite(site.uid, make_canonical(name)))
    assert fleet.site("aurora").record["hostnames"] == ["aurora.example.com", "kept.example.com"]
    fleet.apply(EditSite(site.uid, remove_hostname(name)))
    assert fleet.site("aurora").record["hostnames"] == ["kept.example.com"]


def test_unproven_hostname_is_refused_to_a_sites_people(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    person = fleet.authority("ada", aurora="admin")
    with pytest.raises(NotAllowedError, match="not proven"):
        fleet.apply(EditSite(site.uid, add_hostname("neighbour.example.com", "alias")), by=person)


def test_hostname_is_found_however_it_is_written(fleet: Fleet) -> None:
    site = fleet.add("aurora", "Aurora.Example.com", "b.example.com")
    fleet.apply(EditSite(site.uid, add_hostname("aurora.example.com", "hostname")))
    assert fleet.site("aurora").generation == 1
    fleet.apply(EditSite(site.uid, make_canonical("b.example.com")))
    fleet.apply(EditSite(site.uid, add_hostname("AURORA.example.com", "alias")))
    record = fleet.site("aurora").record
    assert (record["hostnames"], record["aliases"]) == (["b.example.com"], ["aurora.example.com"])


def test_owner_of_a_name_is_told_only_to_those_who_may_see_it(fleet: Fleet) -> None:
    from django.utils import timezone

    from wagtail_multihost.control.models import Verification

    site = fleet.add("aurora")
    fleet.add("borealis", "taken.example.com")
    person = fleet.authority("ada", aurora="change")
    Verification.objects.create(name="taken.example.com", site=site, secret="x", proven_at=timezone.now())
    with pytest.raises(ConfigurationError) as raised:
        fleet.apply(EditSite(site.uid, add_hostname("taken.example.com", "alias")), by=person)
    assert "belongs to another site" in str(raised.value)
    assert "borealis" not in str(raised.value)
    assert raised.value.problems[0].other == ""


def test_narrowed_operator_changes_only_what_the_scope_has(fleet: Fleet) -> None:
    site, other = fleet.add("aurora"), fleet.add("borealis")
    narrowed = OPERATOR.narrowed("change", [site.uid])
    fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])), by=narrowed)
    with pytest.raises(UnknownSiteError):
        fleet.apply(EditSite(other.uid, set_value(("admins",), ["a@example.com"])), by=narrowed)
    with pytest.raises(NotAllowedError):
        fleet.apply(EditSite(site.uid, set_value(("enabled",), False)), by=narrowed)


def test_many_sites_stop_only_if_confirmed(fleet: Fleet) -> None:
    sites = [fleet.add(f"site{number}") for number in range(4)]
    stop = [EditSite(site.uid, set_value(("enabled",), False)) for site in sites[:3]]
    with pytest.raises(UnconfirmedError, match="stops 3 of 4"):
        fleet.apply(*stop)
    with pytest.raises(UnconfirmedError):
        fleet.apply(*stop, confirmed=2)
    before = fleet.revision
    outcome = fleet.apply(*stop, confirmed=3)
    assert [changed.type for changed in outcome.changed] == ["site.disabled"] * 3
    assert outcome.revision == before + 3


def test_platform_change_is_refused_if_it_breaks_a_site(fleet: Fleet) -> None:
    fleet.add("aurora")
    with pytest.raises(ConfigurationError):
        fleet.apply(EditPlatform(merge_patch({"cache": {"backend": "nothing"}})))
    fleet.add("borealis", "files.example.net", storage={"backend": "files"})
    with pytest.raises(ConfigurationError, match=r"files\.example\.net"):
        fleet.apply(EditPlatform(merge_patch({"storage": {"backend": "s3", "endpoint": "https://files.example.net"}})))


def test_nobody_writes_past_registration(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    # The transaction of the test has taken the head; a transaction of its own has not.
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('multihost.head', '0', true)")
    with pytest.raises(DatabaseError, match="registration alone"), transaction.atomic():
        site.save()


def test_revision_can_be_raised_and_never_lowered(fleet: Fleet) -> None:
    assert raise_head(OPERATOR, 5000) == 5000
    assert raise_head(OPERATOR, 10) == 5000
    fleet.add("aurora")
    assert fleet.revision == 5001
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="lower"), transaction.atomic():
        cursor.execute("UPDATE control_head SET revision = 5")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_authority_of_someone_inactive_is_none(fleet: Fleet) -> None:
    fleet.add("aurora")
    user = fleet.user("ada", superuser=True)
    user.is_active = False
    assert authority_of(user).visible == frozenset()
