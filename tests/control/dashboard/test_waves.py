"""The page of waves, and the choice of none where a change is made."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.control.dashboard.nodes import WAVES
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import signed_in
from tests.control.waves import WaveFleet
from wagtail_multihost.control.dashboard.bulk import SITE_ACTIONS
from wagtail_multihost.control.dashboard.bulk_edits import set_label
from wagtail_multihost.control.held_keys import can_be_held
from wagtail_multihost.control.models import Event, Platform, Wave
from wagtail_multihost.control.wave_plans import BAKE_SETTING
from wagtail_multihost.nodeapi.node_states import DONE, REST, RUNNING, STOPPED

PLATFORM = "/admin/fleet/platform/"


@pytest.fixture(name="client")
def _client(waves: WaveFleet) -> Client:
    waves.add_sites(4, uwsgi={"processes": 2})
    waves.report_all()
    return signed_in(waves.fleet.user("root", operator=True))


def begin(waves: WaveFleet) -> Wave:
    waves.change(*(waves.fleet.site(f"site{number}") for number in range(3)), uwsgi={"processes": 7})
    return waves.wave


def decide(client: Client, wave: Wave, action: str, *, confirmed: bool = False, **data: str) -> Any:
    sent = {"action": action, **data, **({"confirmed": "yes"} if confirmed else {})}
    return client.post(f"{WAVES}{wave.pk}/", sent, follow=True)


def test_wave_is_shown_with_its_stages_and_nodes(waves: WaveFleet, client: Client, settings: Any) -> None:
    assert "There was no wave yet." in words(client.get(WAVES))
    setattr(settings, BAKE_SETTING, 30)
    wave = begin(waves)
    first = waves.first()
    page = words(client.get(WAVES))
    assert f"The change of revision {wave.revision}" in page
    assert "State Under way" in page
    assert "by Operator root Of site0, site1, site2" in page
    assert "One node: now A tenth of the nodes: to come The rest: to come" in page
    assert f"revision {wave.stage_revision}. It lasts 30 seconds from when its nodes have applied the change." in page
    assert f"{first} {wave.revision - 3}, 3 behind" in page
    assert [one.row.id for one in client.get(WAVES).context["waves"][0].nodes] == [first]
    waves.report_all()
    waves.tick()
    page = words(client.get(WAVES))
    assert "Its nodes have applied the change; it lasts until" in page
    assert f"{first} {waves.fleet.revision}, the newest" in page


def test_stopped_wave_says_why_and_goes_on(waves: WaveFleet, client: Client) -> None:
    wave = begin(waves)
    first = waves.first()
    page = client.get(WAVES)
    assert 'value="resume"' not in page.text
    assert "It has not stopped" in words(decide(client, wave, "resume"))
    waves.report(first, fails=True)
    waves.tick()
    page = client.get(WAVES)
    assert f"State Stopped: {first}: Applied" in words(page)
    assert "It could not apply the last change" in words(page)
    assert 'value="resume"' in page.text
    assert "The wave goes on." in words(decide(client, wave, "resume"))
    assert waves.wave.state == RUNNING
    assert Event.objects.latest("revision").actor.startswith("user:")


def test_wave_is_finished_after_a_question(waves: WaveFleet, client: Client) -> None:
    wave = begin(waves)
    assert "whatever those say that have it" in words(decide(client, wave, "finish"))
    assert waves.wave.state == RUNNING
    assert "All nodes get the change now." in words(decide(client, wave, "finish", confirmed=True))
    assert waves.wave.state == DONE
    page = words(client.get(WAVES))
    assert "State Done: finished at once" in page
    assert "The rest: done" in page


def test_wave_is_abandoned_after_a_question(waves: WaveFleet, client: Client) -> None:
    wave = begin(waves)
    asked = decide(client, wave, "abandon", reason="web1 does not start")
    assert 'value="web1 does not start"' in asked.text
    assert waves.wave.state == RUNNING
    decide(client, wave, "abandon", confirmed=True, reason="web1 does not start")
    assert waves.wave.state == DONE
    assert waves.fleet.site("site0").record["uwsgi"] == {"processes": 2}
    assert Event.objects.filter(metadata__reason="web1 does not start").count() == 3
    page = words(client.get(WAVES))
    assert "State Done: abandoned" in page
    stages = "One node: put back before its end A tenth of the nodes: not reached The rest: not reached"
    assert stages in page
    Wave.objects.update(stage=REST)
    assert "A tenth of the nodes: done The rest: put back before its end" in words(client.get(WAVES))
    assert "No wave runs." in words(decide(client, wave, "finish", confirmed=True))


def test_waves_are_for_operators_alone(waves: WaveFleet, client: Client) -> None:
    wave = begin(waves)
    customer = signed_in(waves.fleet.user("ada", site0="admin"))
    assert customer.get(WAVES).status_code == 404
    for action in ("resume", "finish", "abandon"):
        sent = {"action": action, "confirmed": "yes"}
        assert customer.post(f"{WAVES}{wave.pk}/", sent).status_code == 404
    assert waves.wave.state == RUNNING
    assert client.post(f"{WAVES}{wave.pk}/", {"action": "nothing"}).status_code == 404
    assert client.get(f"{WAVES}{wave.pk}/").status_code == 405


def save(client: Client, action: str = "save", **fields: str) -> Any:
    generation = Platform.objects.get(pk=1).generation
    return client.post(PLATFORM, {"generation": generation, "action": action, "uwsgi.processes": "7", **fields})


def test_platform_goes_in_a_wave_unless_an_operator_wants_it_at_once(waves: WaveFleet, client: Client) -> None:
    preview = save(client, "preview")
    assert "It would go to the nodes in a wave" in words(preview)
    preview = save(client, "preview", at_once="yes")
    assert "in a wave, one after the other" not in words(preview)
    assert 'value="yes" checked' in preview.text
    assert not Wave.objects.exists()
    save(client, at_once="yes")
    assert not Wave.objects.exists()
    assert Event.objects.latest("revision").metadata["at_once"] is True
    client.post(PLATFORM, {"generation": Platform.objects.get(pk=1).generation, "uwsgi.processes": "3"})
    assert Wave.objects.count() == 1


def test_no_bulk_action_changes_what_a_wave_could_hold_back() -> None:
    """So that none has to offer the choice."""
    before: dict[str, Any] = {"hostnames": ["a.example.com"], "enabled": False, "state": "maintenance"}
    bare = {"hostnames": ["a.example.com"]}
    edits = [*(action.edit for action in SITE_ACTIONS), set_label("plan", "gold")]
    for edit in edits:
        if edit is not None:
            assert not can_be_held(before, edit(before))
            assert not can_be_held(bare, edit(bare))
    assert len([edit for edit in edits if edit is None]) == 1


def test_choice_of_no_wave_is_on_the_page_of_the_platform_alone(waves: WaveFleet, client: Client) -> None:
    settings_page = f"/admin/fleet/sites/{waves.fleet.site('site0').uid}/settings/"
    assert 'name="at_once"' in client.get(PLATFORM).text
    assert 'name="at_once"' not in client.get(settings_page).text
    sent = {"generation": 1, "admins": "new@example.net", "at_once": "yes"}
    assert "at_once is not known." in words(client.post(settings_page, sent))


def test_stopped_wave_refuses_another_in_words(waves: WaveFleet, client: Client) -> None:
    begin(waves)
    Wave.objects.update(state=STOPPED)
    assert "A change is on its way to the nodes in a wave" in words(save(client))
