"""A site's hostnames: which there are, which is the canonical one, and the way to a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from wagtail.admin import messages

from wagtail_multihost.control.changes import Edit, EditSite
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.proofs import proofs_to_show, show_proof
from wagtail_multihost.control.dashboard.record_page import say_outcome
from wagtail_multihost.control.dashboard.tabs import DOMAINS, SiteTabView
from wagtail_multihost.control.edits import add_hostname, make_canonical, normalize_hostname, remove_hostname
from wagtail_multihost.control.guard import SiteView
from wagtail_multihost.control.models import ALIAS, CHANGE, HOSTNAME, Hostname, ManagedSite, Verification
from wagtail_multihost.control.proofs import TooManyProofsError, ask_for_check, give_up, start_proof
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import ConfigurationError, Problem

ROLES = {HOSTNAME: "Hostname: redirects to the canonical one", ALIAS: "Alias: served as it is"}
LONGEST = 1000
OTHER_ROLE = {HOSTNAME: ALIAS, ALIAS: HOSTNAME}


class Domain(NamedTuple):
    """A hostname of a site as it is shown."""

    name: str
    role: str
    is_canonical: bool
    verified_at: datetime | None
    problem: str

    @property
    def other_role(self) -> str:
        return OTHER_ROLE[self.role]


class DomainsView(SiteTabView):
    """The hostnames of a site, and what can be done with each. Everything that is sent names its ``action``."""

    tab = DOMAINS
    template_name = "multihost_control/domains.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        actions: Mapping[str, Callable[[], HttpResponseBase]] = {
            "add": self.add,
            "remove": self.remove,
            "canonical": self.make_canonical,
            "role": self.change_role,
            "prove": self.prove,
            "check": self.check,
            "use": self.use,
            "cancel": self.cancel,
        }
        action = actions.get(request.POST.get("action", ""))
        if action is None or not self.authority.may(CHANGE, self.site.uid):
            raise Http404
        return action()

    def show(self, problems: tuple[Problem, ...] = (), **context: Any) -> HttpResponseBase:
        domains = domains_of(self.site)
        found = {
            "domains": domains,
            "proofs": proofs_to_show(self.site, [domain.name for domain in domains]),
            "problems": problems,
            "roles": ROLES,
            "may_change": self.authority.may(CHANGE, self.site.uid),
            "adds_directly": self.authority.may_operate_on(self.site.uid),
            "address": self.address,
            **context,
        }
        page: HttpResponseBase = self.render_to_response(self.get_context_data(**found))
        return page

    @property
    def address(self) -> str:
        return site_address(self.site.uid, DOMAINS)

    def sent_name(self) -> str:
        return self.request.POST.get("name", "").strip()[:LONGEST]

    def sent_role(self) -> str:
        role = self.request.POST.get("role", HOSTNAME)
        if role not in ROLES:
            raise Http404
        return role

    def own_name(self) -> str:
        """Return the name that was sent, which the site must have."""
        name = normalize_hostname(self.sent_name())
        if not Hostname.objects.filter(site=self.site, name=name).exists():
            raise Http404
        return name

    def sent_proof(self) -> Verification:
        """Return the proof whose id was sent, of this site."""
        try:
            key = UUID(self.request.POST.get("proof", ""))
        except ValueError:
            raise Http404 from None
        return get_object_or_404(Verification, pk=key, site=self.site)

    def add(self) -> HttpResponseBase:
        """Add a name at once; registration refuses it to those who would have to prove it."""
        name, role = self.sent_name(), self.sent_role()
        try:
            edit = add_hostname(name, role)
        except ValueError as error:
            return self.show((Problem("hostnames", str(error)),), entered=name)
        return self.save(edit, entered=name)

    def remove(self) -> HttpResponseBase:
        return self.save(remove_hostname(self.own_name()))

    def make_canonical(self) -> HttpResponseBase:
        return self.save(make_canonical(self.own_name()))

    def change_role(self) -> HttpResponseBase:
        return self.save(add_hostname(self.own_name(), self.sent_role()))

    def use(self) -> HttpResponseBase:
        return self.save(add_hostname(self.sent_proof().name, self.sent_role()))

    def save(self, edit: Edit, **context: Any) -> HttpResponseBase:
        try:
            outcome = apply_changes(self.authority, [EditSite(self.site.uid, edit)])
        except ConfigurationError as error:
            return self.show(error.problems, **context)
        say_outcome(self.request, outcome)
        return HttpResponseRedirect(self.address)

    def prove(self) -> HttpResponseBase:
        name = self.sent_name()
        try:
            start_proof(self.site, name, self.authority.user)
        except (ValueError, TooManyProofsError) as error:
            return self.show((Problem("hostnames", str(error)),), entered=name)
        return HttpResponseRedirect(self.address)

    def check(self) -> HttpResponseBase:
        try:
            ask_for_check(self.sent_proof())
        except TooManyProofsError as error:
            return self.show((Problem("", str(error)),))
        return HttpResponseRedirect(self.address)

    def cancel(self) -> HttpResponseBase:
        proof = self.sent_proof()
        try:
            give_up(proof)
        except TooManyProofsError as error:
            return self.show((Problem("", str(error)),))
        messages.success(self.request, f"{proof.name} is given up.")
        return HttpResponseRedirect(self.address)


class ProofResultView(SiteView):
    """How far a proof is, as a part of the page that follows it."""

    def get(self, request: HttpRequest, *, uid: UUID, proof: UUID) -> HttpResponse:
        found = get_object_or_404(Verification, pk=proof, site=self.site)
        may_change = self.authority.may(CHANGE, uid)
        context = {
            "shown": show_proof(found),
            "may_change": may_change,
            "roles": ROLES,
            "address": site_address(self.site.uid, DOMAINS),
        }
        return TemplateResponse(request, "multihost_control/proof_result.html", context)


def domains_of(site: ManagedSite) -> list[Domain]:
    """Return the hostnames of a site in the order of its record: the first one is canonical."""
    stored = {found.name: found for found in Hostname.objects.filter(site=site)}
    names = [normalize_hostname(name) for key in ("hostnames", "aliases") for name in site.record.get(key, [])]
    found = [stored[name] for name in dict.fromkeys(names) if name in stored]
    return [
        Domain(one.name, one.role, number == 0 and one.role == HOSTNAME, one.verified_at, one.problem)
        for number, one in enumerate(found)
    ]
