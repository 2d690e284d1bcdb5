"""The form of a new site."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, CreateSite
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.record_entries import Entry, entries, set_values, value_at
from wagtail_multihost.control.dashboard.record_form import place_problems
from wagtail_multihost.control.dashboard.record_page import say_outcome
from wagtail_multihost.control.dashboard.record_text import value_of
from wagtail_multihost.control.dashboard.tabs import list_breadcrumbs
from wagtail_multihost.control.declared_keys import Table, keys_by_place
from wagtail_multihost.control.guard import OperatorView, visible_sites
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.keys import SITE
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH, shown
from wagtail_multihost.spec.suggestions import suggest

#: What a copy takes of another site: nothing that says where its data is, and no reference to a secret.
COPIED_TABLES = frozenset({"settings", "nginx", "uwsgi", "systemd"})
COPIED_KEYS = frozenset({"admins", "env", "nodes"})
#: So many sites are looked through for one that was meant.
LOOKED_THROUGH = 1000


class NewSiteForm(forms.Form):
    """What a new site needs. Whether it is right is decided by registration."""

    identifier = forms.CharField(
        label="Id",
        required=False,
        max_length=SITE_ID_LENGTH,
        help_text="Lower-case letters, digits and single hyphens, with a letter first. It cannot be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    hostnames = forms.CharField(
        required=False,
        help_text="One on each line. The first one is the canonical one.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    labels = forms.CharField(
        required=False,
        help_text="On each line: NAME = value. They may be blank.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    copied = forms.CharField(
        label="Copy the settings of",
        required=False,
        max_length=SITE_ID_LENGTH,
        help_text=(
            "The id of another site, or blank. Its settings, limits, variables, nodes and administrators are copied; "
            "not where its data is, and none of its secrets."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    reason = forms.CharField(required=False, max_length=REASON_LENGTH, help_text="It is kept in the history.")

    problems: tuple[Problem, ...] = ()

    def record(self, authority: Authority) -> Table:
        """Return the record that was entered; what cannot be read of it is an error of its field."""
        record: Table = self.copied_record(authority)
        for name in ("hostnames", "labels"):
            try:
                value = value_of(keys_by_place()[SITE, name], self.cleaned_data.get(name, ""))
            except ValueError as error:
                self.add_error(name, str(error))
                continue
            record = set_values({(name,): value})(record)
        return record

    def copied_record(self, authority: Authority) -> Table:
        wanted = self.cleaned_data.get("copied", "").strip()
        if not wanted:
            return {}
        found = visible_sites(authority).filter(identifier=wanted).first()
        if found is None:
            near = visible_sites(authority).filter(identifier__startswith=wanted[:1].lower())
            hint = suggest(wanted, near.values_list("identifier", flat=True)[:LOOKED_THROUGH])
            self.add_error("copied", f"There is no site {shown(wanted)}.{hint}")
            return {}
        return copy_settings(found.record)

    def add_problems(self, identifier: str, problems: tuple[Problem, ...]) -> None:
        placed = place_problems(problems, ("hostnames", "labels"))
        for name, messages in placed.by_field.items():
            for message in messages:
                self.add_error(name, message)
        for problem in placed.others:
            if problem.where in ("Sites", f"Site {identifier}"):
                self.add_error("identifier", problem.message)
            else:
                self.problems += (problem,)


class NewSiteView(WagtailAdminTemplateMixin, OperatorView):  # type: ignore[misc]
    """Makes a site, and leads to its page."""

    page_title = "New site"
    header_icon = "site"
    template_name = "multihost_control/new_site.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(NewSiteForm())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = NewSiteForm(request.POST)
        form.is_valid()
        record = form.record(self.authority)
        identifier = form.cleaned_data.get("identifier", "").strip()
        is_wrong = bool(form.errors)
        try:
            change = CreateSite(identifier, record)
            reason = form.cleaned_data.get("reason", "")
            outcome = apply_changes(self.authority, [change], reason=reason, dry_run=is_wrong)
        except ConfigurationError as error:
            form.add_problems(identifier, error.problems)
            return self.show(form)
        if is_wrong:
            return self.show(form)
        say_outcome(request, outcome)
        return HttpResponseRedirect(page_address("site_website", uid=outcome.changed[0].uid))

    def show(self, form: NewSiteForm) -> HttpResponseBase:
        page: HttpResponseBase = self.render_to_response(self.get_context_data(form=form))
        return page

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, *list_breadcrumbs(), {"url": "", "label": self.page_title}]


def copy_settings(record: Table) -> Table:
    """Return what a new site can take of the record of another one."""
    copied = {entry.path: value_at(record, entry.path) for entry in entries(of_platform=False) if can_be_copied(entry)}
    return set_values({path: value for path, value in copied.items() if value is not None})({})


def can_be_copied(entry: Entry) -> bool:
    return not entry.is_masked and (entry.table in COPIED_TABLES or entry.name in COPIED_KEYS)
