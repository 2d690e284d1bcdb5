"""The groups whose people someone looks after, and the people of each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.dashboard.problems import add_problems, tell_problems
from wagtail_multihost.control.guard import GroupView, PeopleView
from wagtail_multihost.control.invitations import invite, open_invitations, withdraw
from wagtail_multihost.control.people import (
    LONGEST_NAME,
    administered_groups,
    admins_of,
    create_group,
    members_of,
    remove_person,
    set_admin,
)
from wagtail_multihost.exceptions import MultihostError


class GroupForm(forms.Form):
    """The name of a new group."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="A customer, such as a company, or a part of one.")


class InvitationForm(forms.Form):
    """Whom to invite."""

    email = forms.EmailField(label="E-mail address", help_text="They get a link, and decide themselves.")


class PeoplePage(WagtailAdminTemplateMixin):  # type: ignore[misc]
    """What the pages about people have in common."""

    page_title = "People"
    header_icon = "group"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": reverse("multihost:people"), "label": "People"}]


class GroupsView(PeoplePage, PeopleView):
    """The groups that someone looks after; operators make new ones here."""

    template_name = "multihost_control/people/groups.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(GroupForm())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not self.authority.may_operate:
            raise Http404
        form = GroupForm(request.POST)
        if form.is_valid():
            try:
                group = create_group(self.authority, form.cleaned_data["name"])
            except MultihostError as error:
                add_problems(form, error)
            else:
                return redirect("multihost:group", group=group.pk)
        return self.show(form)

    def show(self, form: GroupForm) -> HttpResponseBase:
        groups = administered_groups(self.authority).annotate(count=Count("user", distinct=True))
        context = self.get_context_data(form=form if self.authority.may_operate else None, groups=groups)
        page: HttpResponseBase = self.render_to_response(context)
        return page


class PeopleOfGroupView(PeoplePage, GroupView):
    """The people of a group, and the form that invites one more."""

    template_name = "multihost_control/people/group.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(InvitationForm())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = InvitationForm(request.POST)
        if form.is_valid():
            try:
                invitation = invite(self.authority, self.group, form.cleaned_data["email"])
            except MultihostError as error:
                add_problems(form, error)
            else:
                messages.success(request, f"An invitation was sent to {invitation.email}.")
                return redirect("multihost:group", group=self.group.pk)
        return self.show(form)

    def get_page_title(self) -> str:
        return self.group.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": self.group.name}]

    def show(self, form: InvitationForm) -> HttpResponseBase:
        admins = admins_of(self.group)
        operates = self.authority.may_operate
        rows = [
            {
                "user": user,
                "is_admin": user.pk in admins,
                "can_be_removed": operates or user.pk not in admins or user.pk == self.authority.user,
            }
            for user in members_of(self.group)
        ]
        context = self.get_context_data(
            form=form, group=self.group, rows=rows, operates=operates, invitations=open_invitations(self.group)
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page


class MemberView(GroupView):
    """Something that is done to one of the group's people; to nobody else."""

    def post(self, request: HttpRequest, user: int, **kwargs: Any) -> HttpResponseBase:
        found = get_object_or_404(members_of(self.group), pk=user)
        try:
            self.do(request, found)
        except MultihostError as error:
            tell_problems(request, error)
        return back_to_group(self)

    def do(self, request: HttpRequest, user: Any) -> None:
        raise NotImplementedError


class RemovePersonView(MemberView):
    """Takes someone out of the group."""

    def do(self, request: HttpRequest, user: Any) -> None:
        remove_person(self.authority, self.group, user)
        messages.success(request, f"{user.get_username()} is no longer in {self.group}.")


class GroupAdminView(MemberView):
    """Lets someone look after the group (``is_admin`` on), or no more."""

    operators_only = True

    def do(self, request: HttpRequest, user: Any) -> None:
        set_admin(self.authority, self.group, user, is_admin=request.POST.get("is_admin") == "on")


class WithdrawView(GroupView):
    """Ends an invitation to the group."""

    def post(self, request: HttpRequest, invitation: UUID, **kwargs: Any) -> HttpResponseBase:
        withdraw(self.authority, get_object_or_404(open_invitations(self.group), pk=invitation))
        return back_to_group(self)


def back_to_group(view: GroupView) -> HttpResponseBase:
    """Return to the group's page, or to the home page where it can no longer be seen."""
    if administered_groups(view.authority).filter(pk=view.group.pk).exists():
        return redirect("multihost:group", group=view.group.pk)
    return redirect("wagtailadmin_home")
