"""Who asks: a token of Wagtail's API, with a scope and an end of ours. Sessions and cookies are never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404
from wagtail.api.v3.auth import BearerTokenAuth
from wagtail.models import APIToken

from wagtail_multihost.control.api.problems import FORBIDDEN, RefusedRequestError
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.tokens import authority_of_token

if TYPE_CHECKING:
    from django.http import HttpRequest

NO_SCOPE = "This token may do nothing here: it has no scope, or its scope has ended. Make another in the dashboard."


class TokenAuth(BearerTokenAuth):  # type: ignore[misc]
    """Gives the request the authority of its token as ``request.auth``."""

    def authenticate(self, request: HttpRequest, token: str) -> Authority | None:
        if not APIToken.validate_token_format(token):
            return None
        found = super().authenticate(request, token)
        if found is None:
            return None
        authority: Authority = authority_of_token(found)
        if authority.user is None:
            raise RefusedRequestError(FORBIDDEN, NO_SCOPE)
        return authority


def authority_in(request: HttpRequest) -> Authority:
    """Return what the request's token may do."""
    authority: Authority = request.auth  # type: ignore[attr-defined]
    return authority


def refuse_unseeing(authority: Authority) -> None:
    """Raise Http404 for who may not see all sites: what is of the whole fleet is not there for them."""
    if not authority.sees_all:
        raise Http404
