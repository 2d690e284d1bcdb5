"""The page of an invitation's link: for people who have no account yet, and for those who have one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View
from wagtail.admin import messages

from wagtail_multihost.control.dashboard.problems import add_problems
from wagtail_multihost.control.invitations import (
    ENDED,
    OTHER_ACCOUNT,
    accept,
    accept_as_new,
    accounts_with,
    find_invitation,
    is_for,
)
from wagtail_multihost.control.models import Invitation
from wagtail_multihost.exceptions import ConfigurationError

TEMPLATE = "multihost_control/people/invitation.html"
GONE, FORBIDDEN = 410, 403


def account_form(invitation: Invitation, data: Any = None) -> BaseUserCreationForm[Any] | None:
    """
    Return Django's own form of a new account, for the project's model of users: a name, where that is not the address,
    and a password that passes the project's validators. None where an account cannot be made: there is one already, or
    the project has no passwords.
    """
    if accounts_with(invitation.email).exists() or not getattr(settings, "WAGTAILUSERS_PASSWORD_ENABLED", True):
        return None
    model = get_user_model()
    name, email = model.USERNAME_FIELD, model.get_email_field_name()
    meta = type("Meta", (), {"model": model, "fields": [name] if name != email else []})
    form = type("AccountForm", (BaseUserCreationForm,), {"Meta": meta})
    made: BaseUserCreationForm[Any] = form(data, instance=model(**{email: invitation.email}))
    return made


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class InvitationView(View):
    """Lets who has the link join the group: after they signed in, or with an account that they make here."""

    def get(self, request: HttpRequest, text: str) -> HttpResponseBase:
        invitation = find_invitation(text)
        if invitation is None:
            return self.show(request, {"problem": ENDED}, GONE)
        if not request.user.is_authenticated:
            return self.offer(request, invitation, account_form(invitation))
        if not is_for(invitation, request.user):
            return self.show(request, {"problem": OTHER_ACCOUNT}, FORBIDDEN)
        return self.show(request, {"invitation": invitation})

    def post(self, request: HttpRequest, text: str) -> HttpResponseBase:
        invitation = find_invitation(text)
        if invitation is None:
            return self.show(request, {"problem": ENDED}, GONE)
        if not request.user.is_authenticated:
            return self.register(request, invitation, text)
        try:
            group = accept(text, request.user)
        except ConfigurationError as error:
            return self.show(request, {"problem": error.problems[0].message}, FORBIDDEN)
        messages.success(request, f"You are now in {group}.")
        return redirect("wagtailadmin_home")

    def register(self, request: HttpRequest, invitation: Invitation, text: str) -> HttpResponseBase:
        """Make an account and let it join. It signs in as every other does, so that a second factor is asked for."""
        form = account_form(invitation, request.POST)
        if form is None:
            return sign_in(request)
        if form.is_valid():
            try:
                group = accept_as_new(text, form.save(commit=False))
            except ConfigurationError as error:
                add_problems(form, error)
            else:
                messages.success(request, f"You have an account now, and are in {group}. Sign in.")
                return redirect("wagtailadmin_home")
        return self.offer(request, invitation, form)

    def offer(
        self, request: HttpRequest, invitation: Invitation, form: BaseUserCreationForm[Any] | None
    ) -> HttpResponseBase:
        address = sign_in(request).headers["Location"]
        return self.show(request, {"invitation": invitation, "form": form, "sign_in": address})

    def show(self, request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
        return render(request, TEMPLATE, context, status=status)


def sign_in(request: HttpRequest) -> HttpResponse:
    """Return the way to the page where people sign in, and back."""
    address = getattr(settings, "WAGTAILADMIN_LOGIN_URL", None) or reverse("wagtailadmin_login")
    return redirect_to_login(request.get_full_path(), login_url=address)
