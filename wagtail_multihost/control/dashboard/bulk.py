"""
What can be done with many sites at once. The page before it lists every change, and it is one change of the registry:
all of it is made, or nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from wagtail.admin.utils import get_valid_next_url_from_request
from wagtail.admin.views.bulk_action import BulkAction

from wagtail_multihost.control.authority import Authority, authority_of
from wagtail_multihost.control.changes import Edit, EditSite, UnconfirmedError, UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.bulk_edits import set_enabled, set_label, set_state
from wagtail_multihost.control.dashboard.bulk_forms import BulkForm, LabelForm
from wagtail_multihost.control.dashboard.change_rows import ChangeRow, change_rows
from wagtail_multihost.control.dashboard.site_listing import sites_in_list
from wagtail_multihost.control.differences import differences, rows_of
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import OPERATE, ManagedSite
from wagtail_multihost.control.registration import apply_changes
from wagtail_multihost.control.review import must_be_confirmed
from wagtail_multihost.exceptions import ConfigurationError, Problem, problems_of

ALL = "all"
CHANGED_MEANWHILE = "Something changed since this page was shown. Look at it again."
GONE = "One of the sites is not there any more. Choose them again."
CONFIRM = "So many sites stop at once that you must type their number."
NOT_ONE = "One of the sites is not there, or is not yours."


class Planned(NamedTuple):
    """What becomes of a site: its keys that change, with their values before and after."""

    site: ManagedSite
    rows: list[ChangeRow]
    stops: bool


class SiteAction(BulkAction):  # type: ignore[misc]
    """Something that is done with sites. ``edit`` is what it makes of a record, None before the form says it."""

    models = [ManagedSite]
    form_class = BulkForm
    template_name = "multihost_control/bulk.html"
    edit: Edit | None = None
    title = ""
    problems: Sequence[Problem] = ()
    #: Whether only operators of the platform may do it.
    is_operators = False

    def __init__(self, request: HttpRequest, model: type[ManagedSite]) -> None:
        super().__init__(request, model)
        self.authority = authority_of(request.user)
        if not self.is_offered_to(self.authority):
            raise Http404
        self.next_url = get_valid_next_url_from_request(request) or page_address("sites")

    @classmethod
    def is_offered_to(cls, authority: Authority) -> bool:
        """Return whether the person may do it with some site."""
        if cls.is_operators or authority.is_operator:
            return authority.may_operate
        return any(authority.may(OPERATE, uid) for uid in authority.actions)

    def check_perm(self, obj: ManagedSite) -> bool:
        return self.authority.may_operate_on(obj.uid) if self.is_operators else self.authority.may(OPERATE, obj.uid)

    @cached_property
    def chosen_sites(self) -> list[ManagedSite]:
        """The sites that were chosen. Who chooses one that they may not see is told that it is not there."""
        chosen = self.request.GET.getlist("id")
        if ALL in chosen:
            uids = set(sites_in_list(self.request).values_list("uid", flat=True))
        else:
            uids = {uid_in(text) for text in chosen}
        found = [*visible_sites(self.authority).filter(pk__in=uids).order_by("identifier")]
        if not chosen or len(found) != len(uids):
            raise Http404(NOT_ONE)
        return found

    def get_actionable_objects(self) -> tuple[list[ManagedSite], dict[str, list[ManagedSite]]]:
        allowed = [site for site in self.chosen_sites if self.check_perm(site)]
        others = [site for site in self.chosen_sites if not self.check_perm(site)]
        return allowed, {"items_with_no_access": others}

    def plan(self) -> list[Planned]:
        """Return what becomes of each site that may be changed."""
        edit = self.edit
        allowed, _ = self.get_actionable_objects()
        return [planned(site, edit) for site in allowed] if edit is not None else []

    def get_form_kwargs(self) -> dict[str, Any]:
        count = sum(one.stops for one in self.plan())
        return {**super().get_form_kwargs(), "asks_for": count if must_be_confirmed(count) else 0}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = self.plan()
        return {
            **super().get_context_data(**kwargs),
            "title": self.title,
            "changed": [one for one in plan if one.rows],
            "unchanged": [one.site for one in plan if not one.rows],
            "seen": fingerprint(plan),
            "is_review": self.edit is not None,
            "problems": self.problems,
        }

    def form_valid(self, form: BulkForm) -> HttpResponseBase:
        seen = self.request.POST.get("seen", "")
        self.edit = self.edit_of(form)
        if seen != fingerprint(self.plan()):
            if seen:
                form.add_error(None, CHANGED_MEANWHILE)
            return self.show_again(form)
        try:
            done: HttpResponseBase = super().form_valid(form)
        except UnknownSiteError:
            form.add_error(None, GONE)
        except UnconfirmedError:
            form.add_error("confirmed" if "confirmed" in form.fields else None, CONFIRM)
        except ConfigurationError as error:
            self.problems = problems_of(error)
        else:
            return done
        return self.show_again(form)

    def show_again(self, form: BulkForm) -> HttpResponseBase:
        shown: HttpResponseBase = self.render_to_response(self.get_context_data(form=form))
        return shown

    def edit_of(self, form: BulkForm) -> Edit | None:
        """Return what the form makes of a record."""
        return self.edit

    def get_execution_context(self) -> dict[str, Any]:
        values = self.cleaned_form.cleaned_data
        return {
            "authority": self.authority,
            "edit": self.edit,
            "reason": values["reason"],
            "confirmed": values.get("confirmed"),
        }

    @classmethod
    def execute_action(cls, objects: Sequence[ManagedSite], **kwargs: Any) -> tuple[int, int]:
        changes = [EditSite(site.uid, kwargs["edit"]) for site in objects]
        outcome = apply_changes(kwargs["authority"], changes, reason=kwargs["reason"], confirmed=kwargs["confirmed"])
        return len(outcome.changed), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        count = num_parent_objects
        return "1 site was changed." if count == 1 else f"{count} sites were changed."


def uid_in(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404(NOT_ONE) from None


def planned(site: ManagedSite, edit: Edit) -> Planned:
    after = edit(site.record)
    rows = change_rows(rows_of(differences(site.record, after)))
    return Planned(site, rows, bool(site.record.get("enabled", True)) and not after.get("enabled", True))


def fingerprint(plan: Sequence[Planned]) -> str:
    """Return what tells this plan from another one."""
    told = [(str(one.site.uid), one.rows) for one in plan]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class Enable(SiteAction):
    """Sites are served."""

    action_type = "enable"
    display_name = "Enable"
    aria_label = "Enable the chosen sites"
    title = "Enable sites"
    action_priority = 10
    edit = staticmethod(set_enabled(True))


class Disable(SiteAction):
    """Sites are not served any more."""

    action_type = "disable"
    display_name = "Disable"
    aria_label = "Disable the chosen sites"
    title = "Disable sites"
    action_priority = 20
    edit = staticmethod(set_enabled(False))


class Maintain(SiteAction):
    """Visitors see a page that says so."""

    action_type = "maintenance"
    display_name = "Maintenance"
    aria_label = "Show a maintenance page in place of the chosen sites"
    title = "Maintenance of sites"
    action_priority = 30
    edit = staticmethod(set_state("maintenance"))


class Activate(SiteAction):
    """Visitors see the sites again."""

    action_type = "activate"
    display_name = "Back to active"
    aria_label = "Show the chosen sites again"
    title = "Back to active"
    action_priority = 40
    edit = staticmethod(set_state("active"))


class Label(SiteAction):
    """Sites get a label. The form says which, and the changes are shown before they are made."""

    action_type = "label"
    display_name = "Label"
    aria_label = "Label the chosen sites"
    title = "Label sites"
    action_priority = 50
    form_class = LabelForm
    is_operators = True

    def edit_of(self, form: BulkForm) -> Edit:
        return set_label(form.cleaned_data["key"], form.cleaned_data["value"])


SITE_ACTIONS: tuple[type[SiteAction], ...] = (Enable, Disable, Maintain, Activate, Label)
