"""The waves: how far a change of the fleet is, why it has stopped, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.addresses import node_address, page_address
from wagtail_multihost.control.dashboard.confirming import Question, is_confirmed
from wagtail_multihost.control.dashboard.node_words import applied_in_words, problems_in_words
from wagtail_multihost.control.dashboard.problems import tell_problems
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.models import Head, Wave
from wagtail_multihost.control.node_status import NodeRow, node_rows
from wagtail_multihost.control.waves import (
    STAGES,
    WAS_ABANDONED,
    WaveRow,
    abandon_wave,
    finish_wave,
    recent_waves,
    resume_wave,
)
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.node_states import DONE, RUNNING, STOPPED
from wagtail_multihost.spec.printing import one_line

SITES_NAMED = 20
STATE_LABELS = {RUNNING: "Under way", STOPPED: "Stopped", DONE: "Done"}
DONE_STEP, NOW_STEP, NEXT_STEP = "done", "now", "to come"
LAST_STEP, NEVER_STEP = "put back before its end", "not reached"
FINISH = Question(
    "Give the change to all nodes at once",
    "All nodes get the change now, whatever those say that have it. Nothing stops it by itself any more.",
    "Give it to all nodes",
)
ABANDON = Question(
    "Put the former records back",
    "What the wave holds back is put back as a change of its own, which all nodes get at once. Records that were "
    "changed since stay as they are.",
    "Put them back",
)


class Step(NamedTuple):
    """A stage of a wave: which nodes it is for, and whether it is done, now, or to come, or what became of it."""

    label: str
    state: str


class ShownNode(NamedTuple):
    """A node that has its turn in a wave: since which revision, and what it said last."""

    row: NodeRow
    url: str
    applied: str
    problems: str


class ShownWave(NamedTuple):
    """A wave as operators see it. ``bakes_until`` is when its stage ends, once all of its nodes have applied it."""

    row: WaveRow
    state: str
    reason: str
    who: str
    what: str
    steps: tuple[Step, ...]
    bakes_until: datetime | None
    nodes: tuple[ShownNode, ...]

    @property
    def is_open(self) -> bool:
        return self.row.state != DONE

    @property
    def has_stopped(self) -> bool:
        return self.row.state == STOPPED


class WavesView(WagtailAdminTemplateMixin, OperatorView):  # type: ignore[misc]
    """The wave that is not done, with the nodes that have it, and the last ones that are."""

    page_title = "Waves"
    header_icon = "order-down"
    template_name = "multihost_control/waves.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("waves"), "label": self.page_title}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        head = Head.objects.get(pk=1).revision
        waves = recent_waves()
        names = names_of_actors(self.authority, (row.actor for row in waves if row.actor))
        is_open = any(row.state != DONE for row in waves)
        nodes = {row.id: row for row in node_rows()} if is_open else {}
        shown = [show_wave(row, names.get(row.actor, ""), nodes, head) for row in waves]
        page: HttpResponseBase = self.render_to_response(self.get_context_data(waves=shown, head=head))
        return page


class WaveView(OperatorView):
    """Decides how the wave goes on that runs or has stopped."""

    def is_allowed(self, **kwargs: Any) -> bool:
        return super().is_allowed(**kwargs) and Wave.objects.filter(pk=kwargs["wave"]).exists()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        wave = kwargs["wave"]
        reason = request.POST.get("reason", "").strip()[:REASON_LENGTH]
        actions: Mapping[str, tuple[Question | None, Callable[[], Any], str]] = {
            "resume": (None, lambda: resume_wave(self.authority, wave), "The wave goes on."),
            "finish": (FINISH, lambda: finish_wave(self.authority, wave), "All nodes get the change now."),
            "abandon": (
                ABANDON,
                lambda: abandon_wave(self.authority, wave, reason),
                "The former records are put back, on all nodes at once.",
            ),
        }
        if request.POST.get("action", "") not in actions:
            raise Http404
        question, act, words = actions[request.POST["action"]]
        if question is not None and not is_confirmed(request):
            return question.ask(request, "", page_address("waves"))
        try:
            act()
        except MultihostError as error:
            tell_problems(request, error)
        else:
            messages.success(request, words)
        return HttpResponseRedirect(page_address("waves"))


def show_wave(row: WaveRow, who: str, nodes: Mapping[str, NodeRow], head: int) -> ShownWave:
    bakes_until = row.settled_at + timedelta(seconds=row.bake_seconds) if row.settled_at else None
    admitted = [nodes[node] for node in row.admitted if node in nodes] if row.state != DONE else []
    return ShownWave(
        row,
        STATE_LABELS[row.state],
        one_line(row.reason),
        who,
        held_in_words(row),
        tuple(Step(label, step_state(row, stage)) for stage, label in STAGES.items()),
        bakes_until if row.state == RUNNING else None,
        tuple(
            ShownNode(node, node_address(node.id), applied_in_words(node, head), "; ".join(problems_in_words(node)))
            for node in admitted
        ),
    )


def step_state(row: WaveRow, stage: int) -> str:
    if row.state == DONE and row.reason == WAS_ABANDONED:
        return DONE_STEP if stage < row.stage else LAST_STEP if stage == row.stage else NEVER_STEP
    if row.state == DONE:
        return DONE_STEP if stage <= row.stage else NEXT_STEP
    if stage == row.stage:
        return NOW_STEP
    return DONE_STEP if stage < row.stage else NEXT_STEP


def held_in_words(row: WaveRow) -> str:
    """Return whose records a wave holds back, or held back to the end."""
    named = ["the platform"] if row.of_platform else []
    named += row.sites[:SITES_NAMED]
    more = len(row.sites) - SITES_NAMED
    return ", ".join(named) + (f" and {more} more sites" if more > 0 else "")
