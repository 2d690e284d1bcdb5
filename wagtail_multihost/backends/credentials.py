"""Amazon's credentials: a site's own, or the role of the container or the machine, and none from the environment."""

from __future__ import annotations

import os

import botocore.session

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
# Certificates, a profile and the files of the user that runs the process; each has its name in the file, its variable,
# default and conversion.
NO_FILES = {
    "ca_bundle": (None, None, None, None),
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def own_session(access_key: Secret | None, secret_key: Secret | None) -> botocore.session.Session:
    """Return a session with the keys; without them it has the role of the container or the machine."""
    session = botocore.session.Session(session_vars=NO_FILES)
    resolver = session.get_component("credential_provider")
    for provider in AMBIENT_PROVIDERS:
        resolver.remove(provider)
    if access_key and secret_key:
        session.set_credentials(access_key.reveal(), secret_key.reveal())
    return session
