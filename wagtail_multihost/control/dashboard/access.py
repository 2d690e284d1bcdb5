"""A site's tab Access: which groups may do what with it."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from wagtail.admin import messages

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.problems import add_problems, tell_problems
from wagtail_multihost.control.dashboard.tabs import ACCESS, SiteTabView
from wagtail_multihost.control.grants import grant_action, grantable_groups, grants_of, revoke_action
from wagtail_multihost.control.guard import SiteView
from wagtail_multihost.control.models import ADMIN, CHANGE, OPERATE, VIEW
from wagtail_multihost.exceptions import MultihostError

#: What people read of each action.
ACTION_LABELS = {
    VIEW: "View: see the site and its history",
    CHANGE: "Change: also its settings, and proven hostnames",
    OPERATE: "Operate: also enable, disable and set maintenance",
    ADMIN: "Administer: also give and take rights",
}


class GrantForm(forms.Form):
    """A group and what it may do. Only groups that rights can be given to can be chosen."""

    group = forms.ModelChoiceField(queryset=Group.objects.none())
    action = forms.ChoiceField(label="May", choices=list(ACTION_LABELS.items()))

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField[Group], self.fields["group"]).queryset = grantable_groups(authority)


class AccessView(SiteTabView):
    """The groups that may do something with the site, and the form that gives one more, or changes one's."""

    tab = ACCESS
    action = ADMIN
    template_name = "multihost_control/access.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(GrantForm(authority=self.authority))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = GrantForm(request.POST, authority=self.authority)
        if form.is_valid():
            group, action = form.cleaned_data["group"], form.cleaned_data["action"]
            try:
                grant_action(self.authority, self.site, group, action)
            except MultihostError as error:
                add_problems(form, error)
            else:
                messages.success(request, f"{group} may {action} {self.site}.")
                return redirect(site_address(self.site.uid, ACCESS))
        return self.show(form)

    def show(self, form: GrantForm) -> HttpResponseBase:
        own = set(grantable_groups(self.authority).values_list("pk", flat=True))
        rows = [
            {"grant": grant, "label": ACTION_LABELS[grant.action], "can_be_taken": grant.group.pk in own}
            for grant in grants_of(self.authority, self.site)
        ]
        page: HttpResponseBase = self.render_to_response(self.get_context_data(form=form, rows=rows))
        return page


class TakeAccessView(SiteView):
    """Takes what a group may do with the site."""

    action = ADMIN

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        group = grantable_groups(self.authority).filter(pk=kwargs["group"]).first()
        if group is None:
            raise Http404
        try:
            if revoke_action(self.authority, self.site, group):
                messages.success(request, f"{group} may do nothing with {self.site} any more.")
        except MultihostError as error:
            tell_problems(request, error)
        if self.authority.is_operator or self.site.grants.filter(group__user=self.authority.user, action=ADMIN):
            return redirect(site_address(self.site.uid, ACCESS))
        return redirect("wagtailadmin_home")
