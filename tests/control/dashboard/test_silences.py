"""Silences in the dashboard: of what nobody is told, for how long, by whom and why."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.control.dashboard.hostile import HOSTILE, TERMINAL, shown_hostility
from tests.control.dashboard.nodes import add_nodes
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import SILENCES, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.authority import authority_of
from wagtail_multihost.control.models import Node, Silence
from wagtail_multihost.control.silences import current_silences, silence
from wagtail_multihost.spec.time_lengths import HOUR

WISH = {"length": "2h", "reason": "it is known"}


def end(client: Any, made: Silence) -> int:
    return int(client.post(f"{SILENCES}{made.pk}/end/").status_code)


def test_site_is_silenced_by_who_may_operate_it(fleet: Fleet) -> None:
    site, foreign = fleet.add("aurora"), fleet.add("borealis")
    for right, status in (("view", 404), ("change", 404), ("operate", 302)):
        client = signed_in(fleet.user(right, aurora=right))
        assert client.post(SILENCES, {"site": str(site.uid), **WISH}).status_code == status, right
        assert client.post(SILENCES, {"site": str(foreign.uid), **WISH}).status_code == 404
    made = current_silences().get()
    assert (made.site, made.reason, made.is_of_operator) == (site, "it is known", False)
    page = words(signed_in(fleet.user("ada", aurora="view")).get(SILENCES))
    assert "The site aurora until" in page and "it is known" in page
    assert "End the silence" not in page


def test_nodes_and_everything_are_silenced_by_operators(fleet: Fleet) -> None:
    fleet.add("aurora")
    add_nodes("web-1")
    targets: tuple[dict[str, str], ...] = ({"node": "web-1"}, {"everything": "yes"})
    client = signed_in(fleet.user("ada", aurora="admin"))
    for target in targets:
        assert client.post(SILENCES, {**target, **WISH}).status_code == 404
    assert "Silence everything" not in words(client.get(SILENCES))
    operator = signed_in(fleet.user("root", operator=True))
    assert "Silence everything" in words(operator.get(SILENCES))
    for target in targets:
        assert operator.post(SILENCES, {**target, **WISH}).status_code == 302
    assert sorted(current_silences().values_list("node", flat=True)) == ["", "web-1"]
    page = words(operator.get(SILENCES))
    assert "The node web-1 until" in page and "Everything until" in page
    assert "/admin/fleet/nodes/web-1/" in text_of(operator, SILENCES)


def test_people_of_a_site_learn_nothing_of_nodes_and_others(fleet: Fleet) -> None:
    site, foreign = fleet.add("aurora"), fleet.add("borealis")
    add_nodes("zqnode")
    silence(OPERATOR, site, seconds=HOUR, reason="told")
    silence(OPERATOR, foreign, seconds=HOUR, reason="zqforeign")
    silence(OPERATOR, node=Node.objects.get(pk="zqnode"), seconds=HOUR, reason="zqreason")
    silence(OPERATOR, seconds=HOUR, reason="zqeverything")
    page = signed_in(fleet.user("ada", aurora="admin")).get(SILENCES)
    assert "told" in words(page) and "Everything until" in words(page)
    for hidden in ("zqnode", "zqforeign", "zqreason", "zqeverything", "borealis"):
        assert hidden not in page.text


def test_silence_is_ended_by_who_may(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    operate, admin = fleet.user("olga", aurora="operate"), fleet.user("ada", aurora="admin")
    own = silence(authority_of(admin), site, seconds=HOUR, reason="own")
    of_operator = silence(OPERATOR, site, seconds=HOUR, reason="of an operator")
    assert end(signed_in(fleet.user("eve", aurora="change")), own) == 404
    assert end(signed_in(fleet.user("mallory")), own) == 404
    client = signed_in(operate)
    assert words(client.get(SILENCES)).count("End the silence") == 1
    assert end(client, of_operator) == 404
    assert end(client, own) == 302
    assert end(client, own) == 404, "It has ended."
    assert current_silences().get() == of_operator
    assert end(signed_in(fleet.user("root", operator=True)), of_operator) == 302
    assert not current_silences().exists()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"length": "", "reason": "x"}, "This field is required."),
        ({"length": "2h", "reason": " "}, "This field is required."),
        ({"length": "8d", "reason": "x"}, "at most 7 d"),
        ({"length": "two days", "reason": "x"}, "two days"),
    ],
)
def test_what_is_not_accepted_is_told(fleet: Fleet, sent: dict[str, str], told: str) -> None:
    site = fleet.add("aurora")
    answer = signed_in(fleet.user("ada", aurora="operate")).post(SILENCES, {"site": str(site.uid), **sent})
    assert answer.status_code == 200
    assert told in words(answer)
    assert not Silence.objects.exists()


def test_one_thing_is_silenced_at_a_time(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    client = signed_in(fleet.user("root", operator=True))
    wishes: tuple[dict[str, str], ...] = (
        {},
        {"site": str(site.uid), "everything": "yes"},
        {"site": "aurora"},
        {"site": str(uuid4())},
        {"node": "web-9"},
        {"node": "\0"},
    )
    for wish in wishes:
        assert client.post(SILENCES, {**wish, **WISH}).status_code == 404, wish
    assert not Silence.objects.exists()


def test_words_in_rows_are_text(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    silence(OPERATOR, site, seconds=HOUR, reason="x")
    silence(OPERATOR, seconds=HOUR, reason="x")
    Silence.objects.filter(site=site).update(reason=HOSTILE, actor=HOSTILE[:80])
    Silence.objects.filter(site=None).update(reason=HOSTILE, node=TERMINAL[:20])
    client = signed_in(fleet.user("root", operator=True))
    assert shown_hostility(text_of(client, SILENCES)) == []


def test_page_asks_as_often_for_many_silences(fleet: Fleet) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, SILENCES)
        return len(queries)

    client = signed_in(fleet.user("root", operator=True))
    silence(OPERATOR, fleet.add("aurora"), seconds=HOUR, reason="x")
    count()
    before = count()
    for number in range(10):
        silence(OPERATOR, fleet.add(f"site{number}"), seconds=HOUR, reason="x")
    assert count() == before
