"""A person's own tokens of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.problems import add_problems
from wagtail_multihost.control.guard import GuardedView, visible_sites
from wagtail_multihost.control.models import CHANGE, OPERATE, VIEW, ManagedSite, TokenScope
from wagtail_multihost.control.tokens import NewToken, create_token, revoke_token, tokens_of
from wagtail_multihost.exceptions import MultihostError

ACTION_LABELS = {TokenScope.READ: "Read", CHANGE: "Read and change", OPERATE: "Read, change and operate"}
#: How long a token counts, in days.
DAYS = {30: "30 days", 90: "90 days", 365: "A year"}


class TokenForm(forms.Form):
    """What a new token is for. Whose it is is not asked: one's own."""

    name = forms.CharField(max_length=255, help_text="What it is used for, so that you know it again.")
    action = forms.ChoiceField(label="May", choices=list(ACTION_LABELS.items()))
    sites = forms.ModelMultipleChoiceField(
        queryset=ManagedSite.objects.none(),
        required=False,
        help_text="None chosen: all sites that you may see, also later ones.",
    )
    days = forms.TypedChoiceField(label="Counts for", coerce=int, choices=list(DAYS.items()))

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelMultipleChoiceField[ManagedSite], self.fields["sites"]).queryset = visible_sites(authority)


class TokensView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """One's own tokens, and the form that makes one more. Its secret is on the page that answers, and nowhere else."""

    page_title = "Tokens"
    header_icon = "key"
    template_name = "multihost_control/tokens.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": reverse("multihost:tokens"), "label": "Tokens"}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(TokenForm(authority=self.authority))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = TokenForm(request.POST, authority=self.authority)
        if not form.is_valid():
            return self.show(form)
        asked = form.cleaned_data
        try:
            made = create_token(
                request.user,  # type: ignore[arg-type]
                asked["name"],
                asked["action"],
                list(asked["sites"]) or None,
                timezone.now() + timedelta(days=asked["days"]),
            )
        except MultihostError as error:
            add_problems(form, error)
            return self.show(form)
        return self.show(TokenForm(authority=self.authority), made)

    def show(self, form: TokenForm, made: NewToken | None = None) -> HttpResponseBase:
        now = timezone.now()
        rows = [
            {
                "scope": scope,
                "label": ACTION_LABELS[scope.action],
                "sites": [site for site in scope.sites.all() if self.authority.may(VIEW, site.uid)],
                "has_ended": scope.expires_at <= now,
            }
            for scope in tokens_of(self.request.user)  # type: ignore[arg-type]
        ]
        page: HttpResponseBase = self.render_to_response(self.get_context_data(form=form, rows=rows, made=made))
        return page


class RevokeTokenView(GuardedView):
    """Ends one of one's own tokens."""

    def post(self, request: HttpRequest, token: int, **kwargs: Any) -> HttpResponseBase:
        own = tokens_of(request.user).filter(token=token).first()  # type: ignore[arg-type]
        if own is None or not revoke_token(request.user, own.token):  # type: ignore[arg-type]
            raise Http404
        messages.success(request, f"The token {own.token.name} counts no more.")
        return redirect("multihost:tokens")
