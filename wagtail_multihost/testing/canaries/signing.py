"""Everything that is made with the secret key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core import signing

from wagtail_multihost.testing.canaries.base import Canary, Crossing

SALT = "multihost-canary"
IMAGE, FILTER = 1, "width-100"


class SigningCanary(Canary):
    """
    Signed values and cookies, and, if the apps are installed, password-reset tokens, session hashes and the signatures
    of image URLs. The user is the same in both sites, as after copying a database.
    """

    name = "signing"

    def plant(self, token: str) -> dict[str, Any]:
        planted: dict[str, Any] = {
            "values": [signing.dumps(token, key=key, salt=SALT) for key in signing_keys()],
            "cookie": signing.get_cookie_signer(SALT).sign(token),
        }
        if has_users():
            planted["reset"] = default_token_generator.make_token(unsaved_user(token))
            planted["session_hash"] = unsaved_user(token).get_session_auth_hash()
        if apps.is_installed("wagtail.images"):
            from wagtail.images.utils import generate_signature

            planted["image"] = generate_signature(IMAGE, FILTER)
        return planted

    def crossed(self, token: str, planted: dict[str, Any]) -> Iterator[Crossing]:
        setting = shared_setting(token, planted["values"])
        if any(is_signed_with(value, key, token) for value in planted["values"] for key in signing_keys()):
            yield Crossing(setting, "A signed value is accepted.")
        if unsign_cookie(planted["cookie"]) == token:
            yield Crossing(setting, "A signed cookie is accepted.")
        if has_users():
            if default_token_generator.check_token(unsaved_user(token), planted.get("reset")):
                yield Crossing(setting, "A password-reset token is accepted.")
            if unsaved_user(token).get_session_auth_hash() == planted.get("session_hash"):
                yield Crossing(setting, "The session hash of a user is the same.")
        if apps.is_installed("wagtail.images"):
            from wagtail.images.utils import verify_signature

            if verify_signature(planted.get("image", ""), IMAGE, FILTER):
                yield Crossing(setting, "The signature of an image URL is accepted.")


def signing_keys() -> list[Any]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def is_signed_with(value: str, key: Any, token: str) -> bool:
    try:
        return bool(signing.loads(value, key=key, salt=SALT, fallback_keys=[]) == token)
    except signing.BadSignature:
        return False


def shared_setting(token: str, values: list[str]) -> str:
    """Return SECRET_KEY if both sites have the same current key, otherwise SECRET_KEY_FALLBACKS."""
    return "SECRET_KEY" if is_signed_with(values[0], settings.SECRET_KEY, token) else "SECRET_KEY_FALLBACKS"


def unsign_cookie(value: str) -> str | None:
    try:
        return signing.get_cookie_signer(SALT).unsign(value)
    except signing.BadSignature:
        return None


def has_users() -> bool:
    if not apps.is_installed("django.contrib.auth"):
        return False
    return hasattr(get_user_model(), "get_session_auth_hash")


def unsaved_user(token: str) -> Any:
    """Return a user that is in no database."""
    return get_user_model()(pk=1, password=token)
