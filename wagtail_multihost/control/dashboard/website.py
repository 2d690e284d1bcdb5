"""A site's first tab: what it is, whether it is served, and where; and what is written about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from wagtail.admin import messages

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.changes import REASON_LENGTH, Change, EditSite, RetireSite
from wagtail_multihost.control.dashboard.addresses import origin_of, site_address, sites_address
from wagtail_multihost.control.dashboard.record_page import say_outcome
from wagtail_multihost.control.dashboard.tabs import WEBSITE, SiteTabView
from wagtail_multihost.control.drafts import SUSPENDED
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import CHANGE, NOTE_LENGTH, OPERATE, ManagedSite, Note, Platform, StatusPage
from wagtail_multihost.control.public_status import SITE as SITE_STATUS
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.control.status_pages import show_status
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.site import STATES

#: Where a site's admin is, below its address.
ADMIN_SETTING, ADMIN_PATH = "MULTIHOST_CONTROL_ADMIN_PATH", "/admin/"
NOTES_SHOWN = 20
GONE = "Someone who is gone"
NOT_TYPED = "Type the id of the site, {site}, to retire it."
NO_NOTE = "The note is blank."
LONG_NOTE = f"The note is longer than {NOTE_LENGTH:,} characters."
#: What each state means, and the words of the button that leads to it.
STATE_WORDS = {
    "active": ("It answers its visitors.", "Set it active"),
    "maintenance": ("Visitors see the page of maintenance.", "Set maintenance"),
    "suspended": ("Visitors see that it is suspended.", "Suspend it"),
}


class ShownNote(NamedTuple):
    """A note with the name of who wrote it."""

    note: Note
    author: str


class WebsiteView(SiteTabView):
    """What a site is, and what can be done with it as a whole. Everything that is sent names its ``action``."""

    tab = WEBSITE
    template_name = "multihost_control/website.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        may = self.authority.may
        uid = self.site.uid
        actions: Mapping[str, tuple[bool, Callable[[], HttpResponseBase]]] = {
            "enable": (may(OPERATE, uid), lambda: self.set_key("enabled", None)),
            "disable": (may(OPERATE, uid), lambda: self.set_key("enabled", False)),
            **{f"state-{state}": (self.may_set(state), partial(self.set_state, state)) for state in STATES},
            "retire": (self.authority.may_operate_on(uid), self.retire),
            "note": (may(CHANGE, uid), self.add_note),
            "show-status": (may(CHANGE, uid), partial(self.show_status, shown=True)),
            "hide-status": (may(CHANGE, uid), partial(self.show_status, shown=False)),
        }
        allowed, act = actions.get(request.POST.get("action", ""), (False, self.show))
        if not allowed:
            raise Http404
        return act()

    def show(self, problems: tuple[Problem, ...] = (), **context: Any) -> HttpResponseBase:
        found = {
            **self.rights(),
            **links_of(self.site),
            **self.notes(),
            "problems": problems,
            # In a template, "labels.items" is the label called items.
            "labels": list(self.site.labels.items()),
            "address": site_address(self.site.uid),
            "status_address": reverse(SITE_STATUS, args=[self.site.identifier]) if self.is_public else "",
            "state_words": STATE_WORDS[self.site.state][0],
            "states": [
                (state, STATE_WORDS[state][1]) for state in STATES if state != self.site.state and self.may_set(state)
            ],
            **context,
        }
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**found))
        return page

    def rights(self) -> dict[str, bool]:
        uid = self.site.uid
        return {
            "may_change": self.authority.may(CHANGE, uid),
            "may_operate": self.authority.may(OPERATE, uid),
            "may_retire": self.authority.may_operate_on(uid),
        }

    @property
    def is_public(self) -> bool:
        """Whether the public may see how the site is."""
        return StatusPage.objects.filter(site=self.site).exists()

    def may_set(self, state: str) -> bool:
        """Return whether who asks may put the site into a state: to suspend it, and to end that, is for operators."""
        if SUSPENDED in (state, self.site.state):
            return self.authority.may_operate_on(self.site.uid)
        return self.authority.may(OPERATE, self.site.uid)

    def set_state(self, state: str) -> HttpResponseBase:
        return self.set_key("state", None if state == STATES[0] else state)

    def set_key(self, key: str, value: object) -> HttpResponseBase:
        return self.save(EditSite(self.site.uid, set_value((key,), value)), site_address(self.site.uid))

    def retire(self) -> HttpResponseBase:
        if self.request.POST.get("typed", "").strip() != self.site.identifier:
            return self.show((Problem("", NOT_TYPED.format(site=self.site)),))
        return self.save(RetireSite(self.site.uid), sites_address())

    def save(self, change: Change, address: str) -> HttpResponseBase:
        reason = self.request.POST.get("reason", "").strip()[:REASON_LENGTH]
        try:
            outcome = apply_changes(self.authority, [change], reason=reason)
        except ConfigurationError as error:
            return self.show(error.problems)
        say_outcome(self.request, outcome)
        return HttpResponseRedirect(address)

    def add_note(self) -> HttpResponseBase:
        text = self.request.POST.get("text", "").replace("\0", "").strip()
        if not text or len(text) > NOTE_LENGTH:
            return self.show((Problem("", LONG_NOTE if text else NO_NOTE),), entered=text)
        Note.objects.create(site=self.site, author_id=self.authority.user, text=text)
        messages.success(self.request, "The note is added.")
        return HttpResponseRedirect(site_address(self.site.uid))

    def show_status(self, *, shown: bool) -> HttpResponseBase:
        show_status(self.authority, self.site, shown=shown)
        words = "The public sees how the site is." if shown else "The public does not see how the site is any more."
        messages.success(self.request, words)
        return HttpResponseRedirect(site_address(self.site.uid))

    def notes(self) -> dict[str, Any]:
        """Return a page of notes, the latest first, with the names of their authors."""
        page = Paginator(Note.objects.filter(site=self.site), NOTES_SHOWN).get_page(self.request.GET.get("p"))
        names = names_of_actors(self.authority, [f"user:{note.author_id}" for note in page if note.author_id])
        notes = [ShownNote(note, names.get(f"user:{note.author_id}", GONE)) for note in page]
        return {"notes": notes, "notes_page": page}


def links_of(site: ManagedSite) -> dict[str, str]:
    """Return the addresses of a site and of its admin, as its visitors reach it."""
    hostnames = site.record.get("hostnames") or [""]
    origin = origin_of(Platform.objects.get(pk=1).record, str(hostnames[0]))
    if not origin:
        return {"site_url": "", "admin_url": ""}
    path = str(getattr(settings, ADMIN_SETTING, ADMIN_PATH))
    return {"site_url": f"{origin}/", "admin_url": f"{origin}/{path.lstrip('/')}"}
