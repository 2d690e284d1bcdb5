"""Keys and addresses in the forms of known services, and the texts that look a little like them."""

from __future__ import annotations

import json

import pytest

from wagtail_multihost.resolver.masking import mask_text

LETTERS = "hunterhunterhunter"
RUN = "7hunt2er9hunt4er3hunt"


def joined(*parts: str) -> str:
    """Return a key that no scanner of sources takes for a real one, because it is nowhere in one piece."""
    return "".join(parts)


SECRETS = [
    joined("sk_", "live_", LETTERS),
    joined("rk_", "live_", LETTERS),
    joined("sk_", "test_", LETTERS),
    joined("whsec_", LETTERS),
    joined("ghp_", LETTERS, LETTERS),
    joined("xoxb-", "123456789012-", LETTERS),
    joined("AKIA", "HUNTERHUNTERHUNT"),
    joined("bot", "123456789:", LETTERS, LETTERS),
    joined("https://api.telegram.org/bot", "123456789:", LETTERS, LETTERS, "/sendMessage"),
    joined("https://hooks.slack.com/", "services/T0HUNTER/B0HUNTER/", LETTERS),
    joined("https://hooks.slack.com/", "workflows/T0HUNTER/", LETTERS),
    joined("https://discord.com/api/", "webhooks/123456789012/", LETTERS),
    joined("https://example.webhook.office.com/", "webhookb2/hunter@hunter/IncomingWebhook/", LETTERS),
    joined("https://user:word@chat.example.org/", "hooks/", LETTERS),
    joined("https://chat.example.org:8443/", "hooks/", LETTERS),
    joined("https://hooks.zapier.com/", "hooks/catch/123456/", LETTERS, "/"),
    joined("https://a.blob.core.windows.net/c?sv=2024&sig=", LETTERS, "%3D&se=2027"),
    RUN,
    f"key-{RUN}",
    f"dop_v1_{RUN}",
    f"hunter:{RUN.upper()}",
    f"https://hc.example.org/{RUN}/ping",
]
ORDINARY = [
    "https://hooks.example.org",
    "https://example.org/books/hooks",
    "/webhooks/stripe/",
    "wagtail.hooks.register_admin_urls",
    "website.webhooks.views.receive",
    "sk_learn_models",
    "desk_live_chat_widget_enabled",
    "task_test_runner_of_the_platform",
    "pk_for_object",
    "xoxo",
    "config=1&sign=up",
    "ec2-203-0-113-25.compute-1.amazonaws.com",
    "x86_64-linux-gnu/python3.13/site-packages",
    "/srv/releases/20260101T120000Z/media",
    "sha256-of-everything",
    "utf8mb4_0900_ai_ci",
    "internationalization2026configuration",
    "2026-11-21T16:30:00.000000+00:00",
    "12:30:45",
    "localhost:8000",
    "127.0.0.1:11211,10.0.0.5:11211",
    "38e0b11b-4e4f-5c36-8b9c-c3e4dd8e3c54",
    "aviary--a-very-long-name-of-a-site-0a1b2c3d4e",
    "storages.backends.s3boto3.S3ManifestStaticStorageWithNumbers1",
    "width-1200|format-webp|jpegquality-60",
    "[%(asctime)s] %(levelname)s %(name)s: %(message)s",
]


@pytest.mark.parametrize("text", SECRETS)
def test_keys_and_webhooks_of_services_are_masked(text: str) -> None:
    """Keys of one case, and the part of a webhook's address that lets one use it, are not shown, wherever they are."""
    for form in (text, f"before {text}", f"{text}\nafter", json.dumps({"a": text})):
        shown = mask_text(form)
        assert "***" in shown
        assert all(secret.lower() not in shown.lower() for secret in (LETTERS, RUN, "HUNTERHUNT"))


@pytest.mark.parametrize("text", ORDINARY)
def test_words_paths_and_addresses_are_shown(text: str) -> None:
    """Names, paths, times, versions and addresses that look a little like keys are shown as they are."""
    assert mask_text(text) == text


def test_host_of_a_webhook_is_shown() -> None:
    """Of a webhook's address one sees which service it is."""
    assert mask_text(f"https://hooks.slack.com/services/T0/B0/{LETTERS}") == "https://hooks.slack.com/***"
    assert mask_text(f"https://chat.example.org/hooks/{LETTERS}") == "https://chat.example.org/hooks/***"
