"""Amazon's credentials: a site's own, or the role of the container or the machine, and none from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.tokens import TokenProviderChain

from wagtail_multihost.spec.secret import Secret

# Where botocore looks for keys before it asks for the role of the container or the machine
# (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html).
AMBIENT_PROVIDERS = (
    "env",
    "assume-role",
    "sso",
    "login",
    "shared-credentials-file",
    "custom-process",
    "config-file",
    "ec2-credentials-file",
    "boto-config",
)
# What a machine or a container says of where it is, and of its role, which no site with keys asks for: names begin
# like these (see resolver.ambient.ROLE).
OF_EVERY_SITE = ("AWS_DEFAULT_REGION",)
OF_THE_ROLE = ("AWS_EC2_",)


class OwnSession(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """
    A session that takes nothing from variables and files of the process, but what a machine says of its role: no
    profile, settings, service models, plugins, proxies, and no authorities but botocore's own or those that are stated.
    """

    def __init__(self, *, has_keys: bool) -> None:
        role = OF_EVERY_SITE if has_keys else (*OF_EVERY_SITE, *OF_THE_ROLE)
        super().__init__(session_vars=close_session_variables(self.SESSION_VARIABLES, role))
        # Its section of the configuration has variables of its own, such as AWS_S3_USE_ARN_REGION.
        self.get_component("config_store").set_config_variable("s3", {})
        # The models of the package, and none below ~/.aws or AWS_DATA_PATH.
        own = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
        self.register_component("data_loader", own)
        # AWS_BEARER_TOKEN_… of a service, and the tokens of people who have signed in.
        self.register_component("token_provider", TokenProviderChain(providers=[]))

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        # Where these are not stated, botocore asks for HTTPS_PROXY, REQUESTS_CA_BUNDLE and AWS_ENDPOINT_URL.
        config = options.pop("config", None) or Config()
        own = {"ignore_configured_endpoint_urls": True, **({"proxies": {}} if config.proxies is None else {})}
        verify = options.pop("verify", None)
        options = {**options, "config": config.merge(Config(**own)), "verify": verify is None or verify}
        return context_without_plugins().run(super().create_client, *arguments, **options)


def close_session_variables(
    variables: Mapping[str, tuple[Any, ...]], kept: tuple[str, ...]
) -> dict[str, tuple[Any, ...]]:
    """
    Return botocore's session variables without variables of the process, but for those that are ``kept``, and without
    files; each is its name in a file, its variable, default and conversion.
    """
    closed = {}
    for name, (key, variable, default, conversion) in variables.items():
        is_kept = isinstance(variable, str) and variable.startswith(kept)
        closed[name] = (key, variable if is_kept else None, default, conversion)
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return {**closed, **files, "profile": (None, None, None, None)}


def context_without_plugins() -> Context:
    """Return a context in which botocore loads no module that BOTOCORE_EXPERIMENTAL__PLUGINS names."""
    context = copy_context()
    try:
        from botocore.plugin import PluginContext, set_plugin_context
    except ImportError:  # a release that has none
        return context
    context.run(set_plugin_context, PluginContext(plugins="DISABLED"))
    return context


def own_session(access_key: Secret | None, secret_key: Secret | None) -> botocore.session.Session:
    """Return a session with the keys; without them it has the role of the container or the machine."""
    session = OwnSession(has_keys=bool(access_key and secret_key))
    resolver = session.get_component("credential_provider")
    for provider in AMBIENT_PROVIDERS:
        resolver.remove(provider)
    if access_key and secret_key:
        session.set_credentials(access_key.reveal(), secret_key.reveal())
    else:
        # botocore would ask the machine for its role through HTTP_PROXY, which would see the credentials.
        fetcher = resolver.get_provider("iam-role")._role_fetcher
        fetcher._session = URLLib3Session(timeout=fetcher._timeout)
    return session
