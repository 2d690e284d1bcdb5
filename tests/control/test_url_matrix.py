"""
Every address of the control project, for every kind of person, on a site of theirs and on a foreign one.

For the control app's own pages the answer is in declared_routes.py. Of Wagtail's pages it is asked that none has
anything of a foreign site in it, whatever they are for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from importlib.util import find_spec
from io import BytesIO
from itertools import product
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django.views.generic import View
from wagtail.admin.views.bulk_action.registry import bulk_action_registry

from tests.control.dashboard.looks import concern, fall, look, see
from tests.control.declared_routes import EVERYONE, GROUP, OPERATOR, PEOPLE, ROUTES, SEES, SELF, SHOWN, Rule
from tests.control.fleet import OPERATOR as ROOT
from tests.control.fleet import Fleet
from tests.control.routes import Route, walk_routes
from wagtail_multihost.control.authority import authority_of, includes
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.grants import grant_action
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.holds import hold
from wagtail_multihost.control.invitations import invite, signed
from wagtail_multihost.control.models import (
    ACTIONS,
    ADMIN,
    OPERATE,
    VIEW,
    GroupAdmin,
    Job,
    ManagedSite,
    Note,
    Verification,
    Wave,
    Webhook,
)
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.placing.plans import make_plan
from wagtail_multihost.control.recipients import save_recipient
from wagtail_multihost.control.silences import silence
from wagtail_multihost.control.tokens import create_token
from wagtail_multihost.nodeapi.incident_words import DATABASE, OPENED, SITES_DOWN
from wagtail_multihost.nodeapi.node_states import ACTIVE, PLACED, PLAN_DRAIN, STOPPED
from wagtail_multihost.nodeapi.probe_states import DOWN
from wagtail_multihost.spec.time_lengths import DAY

ANONYMOUS, STRANGER, PLATFORM_OPERATOR, SUPERUSER = "anonymous", "stranger", "platform_operator", "superuser"
ROLES = (ANONYMOUS, STRANGER, *ACTIONS, PLATFORM_OPERATOR, SUPERUSER)
#: Who may see everything: for them only errors count.
ALL_SEEING = (PLATFORM_OPERATOR, SUPERUSER)
REFUSED = {403, 404, 405}
#: Words that are nowhere but in the foreign site, its record, its notes and its people.
NEEDLES = (
    "zqforeign",
    "zqhost",
    "zqalias",
    "zqlabel",
    "zqnote",
    "zqjob",
    "zqgroup",
    "zqagency",
    "zquser",
    "zqnode",
    "zqfall",
)
#: Wagtail's page for trying out what an error looks like.
MEANT_TO_FAIL = "wagtailadmin_error_test"
XHR = {"host": "control.localhost", "x-requested-with": "XMLHttpRequest"}
#: Everything that a write of ours leaves.
FINGERPRINT = """
SELECT (SELECT revision FROM control_head), (SELECT count(*) FROM wagtailcore_modellogentry),
    (SELECT count(*) FROM control_grant), (SELECT count(*) FROM control_group_admin),
    (SELECT count(*) FROM control_note), (SELECT count(*) FROM control_invitation WHERE ended_at IS NULL),
    (SELECT count(*) FROM wagtailcore_apitoken WHERE revoked_at IS NULL), (SELECT count(*) FROM auth_user_groups),
    (SELECT count(*) FROM control_verification), (SELECT count(*) FROM control_job WHERE state = 'waiting'),
    (SELECT count(*) FROM control_webhook), (SELECT count(*) FROM control_webhook_delivery),
    (SELECT count(*) FROM control_hold WHERE until > clock_timestamp()),
    (SELECT count(*) FROM control_silence WHERE until > clock_timestamp()),
    (SELECT count(*) FROM control_recipient), (SELECT count(test_wanted_at) FROM control_recipient),
    (SELECT count(*) FROM control_maintenance)
"""
#: What lists are asked for: files, searches that match a foreign site, a filter, a page beyond the last.
QUERIES = (
    "?export=csv",
    "?export=xlsx",
    "?q=zqfor",
    "?q=zqhos",
    "?state=active&enabled=true",
    "?p=999",
    "?ordering=-identifier",
)
#: What all bulk actions together ask for.
BULK = {"key": "plan", "value": "gold", "name": "plan", "confirmed": "1", "reason": "x", "state": "maintenance"}
NEW_ROUTE = """
is an address of the control app that tests/control/declared_routes.py does not have: say there who may open it, and
give its view a guard of wagtail_multihost.control.guard.
"""


@dataclass
class Place:
    """A site with its people: what addresses and forms about it are filled with."""

    site: ManagedSite
    group: Group
    user: Any
    values: dict[str, str]


@dataclass
class World:
    """Two sites, and someone of every role, who has rights over the first alone."""

    own: Place
    foreign: Place
    people: dict[str, Any]
    needles: tuple[str, ...]
    cookies: dict[str, SimpleCookie] = field(default_factory=dict)

    def client(self, role: str) -> Client:
        client = Client(headers=XHR, raise_request_exception=False)
        if role in self.cookies:
            client.cookies = SimpleCookie(self.cookies[role].output(header=""))
        return client

    def is_allowed(self, role: str, level: str | None, place: Place) -> bool:
        """Return whether someone of the ``role`` may do what needs the ``level``."""
        if level == EVERYONE:
            return True
        if level in (None, SHOWN) or role == ANONYMOUS:
            return False
        if role in ALL_SEEING:
            return level != SELF
        if level == SEES:
            return role in ACTIONS
        if level == SELF:
            return role == ADMIN and place is self.own
        if level in (GROUP, PEOPLE):
            return role == ADMIN and (level == PEOPLE or place is self.own)
        return level != OPERATOR and place is self.own and role in ACTIONS and includes(role, level)


@pytest.fixture(name="world")
def _world(fleet: Fleet) -> Iterator[World]:
    logging.disable()  # of what is refused, which is thousands of requests
    yield make_world(fleet)
    logging.disable(logging.NOTSET)


def make_world(fleet: Fleet) -> World:
    fleet.add("aurora")
    fleet.add("zqforeign", "zqhost.example.net", aliases=["zqalias.example.net"], labels={"plan": "zqlabel"})
    people = {STRANGER: fleet.user(STRANGER)}
    people |= {action: fleet.user(f"{action}er", aurora=action) for action in ACTIONS}
    people[PLATFORM_OPERATOR] = fleet.user(PLATFORM_OPERATOR, operator=True)
    people[SUPERUSER] = fleet.user(SUPERUSER, superuser=True)
    neighbour = fleet.user("zquser", zqforeign="admin")
    Group.objects.filter(name="people of zquser").update(name="zqgroup")
    for user in (people[ADMIN], neighbour):
        GroupAdmin.objects.create(group=user.groups.get(), user=user)
    for name in ("aurora", "zqforeign"):  # so that there is something in each one's history
        fleet.apply(EditSite(fleet.site(name).uid, set_value(("admins",), [f"admin@{name}.example.net"])))
    foreign = fleet.site("zqforeign")
    Note.objects.create(site=foreign, author=neighbour, text="zqnote")
    grant_action(ROOT, foreign, Group.objects.create(name="zqagency"), "view")
    look(timezone.now())
    nodes = make_nodes()
    own = place_of(fleet.site("aurora"), people[ADMIN], nodes)
    other = place_of(foreign, neighbour, nodes)
    needles = (*NEEDLES, str(foreign.uid), foreign.uid.hex)
    world = World(own, other, people, needles)
    for role, user in people.items():
        client = Client()
        client.force_login(user)
        world.cookies[role] = client.cookies
    return world


def make_nodes() -> dict[str, str]:
    """Make a node with a foreign name, a plan and a wave that has stopped; return what addresses have of them."""
    save_group(ROOT, "web", PLACED)
    node = save_node(ROOT, "zqnode", "web", state=ACTIVE)
    now = timezone.now()
    wave = Wave.objects.create(revision=1, stage_revision=1, stage_at=now, bake_seconds=1, state=STOPPED)
    plan = make_plan(ROOT, PLAN_DRAIN, node.pk)
    return {"node": node.pk, "node_revision": str(node.revision), "wave": str(wave.pk), "plan": str(plan.pk)}


def place_of(site: ManagedSite, user: Any, nodes: dict[str, str]) -> Place:
    group = user.groups.get()
    invitation = invite(authority_of(user), group, f"new@{site.identifier}.example.net")
    token = create_token(user, f"token of {site.identifier}", "read", [site], timezone.now() + timedelta(days=1)).token
    proof = Verification.objects.create(site=site, name=f"proof.{site.identifier}.example.net", secret="s" * 43)
    held = hold(authority_of(user), site, seconds=DAY, reason=f"zqreason of {site.identifier}")
    until = timezone.now() + timedelta(hours=1)
    # Only a foreign job has words that nobody else has.
    log = "zqjob" if site.identifier == "zqforeign" else "done"
    told = {"log": log, "progress": log, "problem": log, "holder": log, "parameters": {"name": log}}
    job = Job.objects.create(
        kind="reload-site", runner="node", site=site, actor=f"user:{user.pk}", deadline=until, **told
    )
    # The same of incidents: one of the site, and one that it does not share with the other site.
    now, word = timezone.now(), "zqfall" if site.identifier == "zqforeign" else "fall"
    incident = fall(now, site, summary=word, lines=[(OPENED, word)])
    concern(fall(now, kind=SITES_DOWN, cause=DATABASE, subject=f"{word}.internal", summary=word), site)
    see(site, now, DOWN, "timeout", ago=timedelta(hours=1))
    quiet = silence(authority_of(user), site, seconds=DAY, reason=word)
    heard = save_recipient(ROOT, f"{word}-crew", sites=[site.identifier])
    hook = Webhook.objects.create(url=f"https://{log}.example.net/", actor="operator:root", queued=0)
    values = {
        "job": str(job.pk),
        "incident": str(incident.pk),
        "silence": str(quiet.pk),
        "label": heard.pk,
        "soon": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "later": f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M}",
        "webhook": str(hook.pk),
        **nodes,
        "uid": str(site.uid),
        "hold": str(held.pk),
        "proof": str(proof.pk),
        "revision": str(site.former_records.order_by("revision")[0].revision),
        "group": str(group.pk),
        "user": str(user.pk),
        "token": str(token.pk),
        "invitation": str(invitation.pk),
        "text": signed(invitation),
    }
    return Place(site, group, user, values)


def own_routes() -> list[Route]:
    return [route for route in walk_routes() if route.is_ours and not route.is_api]


def test_every_route_of_the_app_is_declared() -> None:
    labels = [route.label for route in own_routes()]
    assert [f"{label} {NEW_ROUTE}" for label in labels if label not in ROUTES] == []
    assert set(ROUTES) - set(labels) == set(), "declared_routes.py has routes that there are not any more."
    assert len(set(labels)) == len(labels)


def test_every_page_of_the_app_has_a_guard() -> None:
    """Beside what they answer: a view without one is a hole on the day on which its template shows more."""
    public = {label for label, rule in ROUTES.items() if rule.get in (EVERYONE, SHOWN)}
    views = {route.label: route.view for route in own_routes() if route.label not in public}
    assert [label for label, view in views.items() if view is None or not issubclass(view, GuardedView)] == []
    assert all(view.setup is not View.setup for view in views.values())


@pytest.mark.parametrize("role", ROLES)
def test_own_pages_answer_whom_they_are_for(world: World, role: str) -> None:
    wrong = []
    for route in own_routes():
        rule = ROUTES[route.label]
        for place in (world.own, world.foreign):
            for method, level in (("get", rule.get), ("post", rule.post)):
                allowed = world.is_allowed(role, level, place)
                answer = ask(world, role, method, route.address(place.values), filled(rule, place))
                if level == EVERYONE:
                    wrong += public_problems(route, method, answer)
                    continue
                where = f"{method.upper()} {route.label} on {place.site.identifier}: {answer.status}"
                if problem := problem_of(world, role, allowed, answer):
                    wrong.append(f"{where}: {problem}")
    assert wrong == []


def public_problems(route: Route, method: str, answer: Answer) -> list[str]:
    """Return what is wrong with the answer of a page for everyone: it may say that it is not for this account."""
    return [f"{method} {route.label}: {answer.status}"] if answer.status in (404, 405) or answer.status >= 500 else []


def problem_of(world: World, role: str, allowed: bool, answer: Answer) -> str:
    """Return what is wrong with an answer; blank if nothing is."""
    if answer.status >= 500:
        return "it failed"
    if allowed and answer.status in REFUSED:
        return "it was refused"
    if allowed:
        return has_foreign(world, role, answer)
    if answer.status not in REFUSED and not (role == ANONYMOUS and answer.asks_to_sign_in):
        return "it was not refused"
    if answer.wrote:
        return "something was written"
    return has_foreign(world, role, answer)


def has_foreign(world: World, role: str, answer: Answer) -> str:
    """Return what of the foreign site is in an answer to someone who may not see it; blank if nothing is."""
    return f"it has {found} in it" if (found := found_in(world, role, answer)) else ""


@pytest.mark.parametrize("role", ROLES)
def test_wagtails_own_pages_have_nothing_of_a_foreign_site(world: World, role: str) -> None:
    wrong = []
    routes = [route for route in walk_routes() if not route.is_ours and route.name != MEANT_TO_FAIL]
    assert len(routes) > 100
    for route in routes:
        for address in addresses(route, world.foreign):
            for method in ("get", "post"):
                answer = ask(world, role, method, address)
                if role not in ALL_SEEING and (answer.wrote or (found := found_in(world, role, answer))):
                    wrong.append(f"{method} {address}: {answer.status}, {found or 'something was written'}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_lists_have_nothing_of_a_foreign_site(world: World, role: str) -> None:
    """However they are searched, filtered and exported."""
    wrong = []
    for route in own_routes():
        if ROUTES[route.label].get in (SEES, PEOPLE, VIEW):
            for query in QUERIES:
                answer = ask(world, role, "get", route.address(world.own.values) + query)
                if answer.status >= 500 or has_foreign(world, role, answer):
                    wrong.append(f"{route.label}{query}: {answer.status} {has_foreign(world, role, answer)}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_bulk_actions_reach_what_one_may_do(world: World, role: str) -> None:
    """Whatever keys are sent: those of a foreign site neither show it nor change it."""
    wrong = []
    actions = bulk_action_registry.get_bulk_actions_for_model("multihost_control", "managedsite")
    names = [action.action_type for action in actions]
    assert names
    for name, place, method in product(names, (world.own, world.foreign), ("get", "post")):
        address = f"/admin/bulk/multihost_control/managedsite/{name}/?id={place.site.uid}&next=/admin/"
        answer = ask(world, role, method, address, BULK)
        allowed = world.is_allowed(role, OPERATOR if name == "label" else OPERATE, place)
        if answer.status >= 500 or has_foreign(world, role, answer) or (answer.wrote and not allowed):
            wrong.append(f"{method} {name} {place.site}: {answer.status} {has_foreign(world, role, answer)}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_api_takes_nobodys_session(world: World, role: str) -> None:
    """What tokens may do there is asked of each operation in test_api_rights.py."""
    wrong = []
    routes = [route for route in walk_routes() if route.is_api]
    assert bool(routes) == bool(find_spec("wagtail_multihost.control.api"))
    for route in routes:
        for method in ("get", "post", "put", "patch", "delete"):
            answer = ask(world, role, method, route.address({"site": world.own.site.identifier}))
            if answer.status not in {401, *REFUSED} or answer.wrote or has_foreign(world, role, answer):
                wrong.append(f"{method} {route.template}: {answer.status}")
    assert wrong == []


def addresses(route: Route, place: Place) -> Iterator[str]:
    """Yield addresses of a route of Wagtail's that name something of the ``place``; lists also as files."""
    pk = "1"
    if "/users/" in route.template or "/groups/" in route.template:
        pk = str(place.user.pk if "/users/" in route.template else place.group.pk)
    values = {"pk": pk, "user_id": pk, "app_label": "auth", "app_name": "taggit", "model_name": "user"}
    if "tag-autocomplete" in route.template:
        values["model_name"] = "tag"
    values["action"] = "delete" if route.name == "wagtail_bulk_action" else "publish"
    address = route.address(values)
    yield address
    if "report" in route.template or "history" in route.template or route.name.endswith((":index", "index_results")):
        yield f"{address}?export=csv"
    if "search" in route.template or "choose" in route.template or "index" in route.name:
        yield f"{address}?q=z"
    if route.name == "wagtail_bulk_action":
        yield f"{address}?id={place.user.pk}&next=/admin/"


@dataclass(frozen=True)
class Answer:
    """What came back, and whether anything was written."""

    status: int
    text: str
    location: str
    wrote: bool

    @property
    def asks_to_sign_in(self) -> bool:
        return self.status == 302 and "/login/" in self.location


def ask(world: World, role: str, method: str, address: str, data: Any = None) -> Answer:
    """Ask, and undo whatever that did."""
    before = fingerprint()
    with transaction.atomic():
        response = getattr(world.client(role), method)(address, data if method == "post" else None)
        chunks = response.streaming_content if response.streaming else [response.content]
        text = readable(b"".join(chunks))
        wrote = response.status_code < 500 and fingerprint() != before
        transaction.set_rollback(True)
    location = response.headers.get("Location", "")
    for echoed in (address, quote(address), quote(address, safe="")):
        text, location = text.replace(echoed, ""), location.replace(echoed, "")
    return Answer(response.status_code, text, location, wrote)


def readable(content: bytes) -> str:
    """Return the text of an answer; a spreadsheet is an archive of texts."""
    if not content.startswith(b"PK"):
        return content.decode("utf-8", "replace")
    with ZipFile(BytesIO(content)) as archive:
        return "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


def fingerprint() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(FINGERPRINT)
        return tuple(cursor.fetchone())


def found_in(world: World, role: str, answer: Answer) -> str:
    return (
        "" if role in ALL_SEEING else next((one for one in world.needles if one in answer.text + answer.location), "")
    )


def filled(rule: Rule, place: Place) -> dict[str, str]:
    return {name: value.format(**place.values) for name, value in rule.data.items()}


def test_pages_are_posted_to_from_the_project_alone(world: World) -> None:
    """Django's guard against forged requests is on every one of them."""
    posted = [route for route in own_routes() if ROUTES[route.label].post]
    assert posted
    for route in posted:
        client = world.client(SUPERUSER)
        client.handler.enforce_csrf_checks = True
        with transaction.atomic():
            answer = client.post(route.address(world.own.values), filled(ROUTES[route.label], world.own))
            transaction.set_rollback(True)
        assert (route.label, answer.status_code) == (route.label, 403)
        assert "CSRF" in answer.text
