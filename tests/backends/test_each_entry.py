"""What each entry of the storage's lists does: nothing of the surroundings reaches a site's bucket."""

from __future__ import annotations

import pytest

from tests.backends.test_storage import Process
from wagtail_multihost.backends.credentials import own_session
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.spec.secret import Secret


@pytest.mark.parametrize(
    ("variable", "option", "value"),
    [
        ("AWS_CA_BUNDLE", "ca_bundle", None),
        ("AWS_PROFILE", "profile", None),
        ("AWS_DEFAULT_PROFILE", "profile", None),
        ("AWS_CONFIG_FILE", "config_file", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file", "/dev/null"),
    ],
)
def test_variable_names_no_file_and_no_profile(
    monkeypatch: pytest.MonkeyPatch, variable: str, option: str, value: object
) -> None:
    """A bundle of certificates, a profile and its files are not taken from the process's variables."""
    monkeypatch.setenv(variable, "/tmp/ambient")
    assert own_session(Secret("own-access-key"), Secret("own-secret-key")).get_config_variable(option) == value


@pytest.mark.parametrize(
    "provider",
    [
        "env", "assume-role", "sso", "login", "shared-credentials-file", "custom-process", "config-file",
        "ec2-credentials-file", "boto-config",
    ],
)  # fmt: skip
def test_keys_are_not_looked_for_where_the_surroundings_have_them(provider: str) -> None:
    """Of botocore's places the role of the container and of the machine are left."""
    resolver = own_session(None, None).get_component("credential_provider")
    assert provider not in {each.METHOD for each in resolver.providers}
    assert {"container-role", "iam-role"} <= {each.METHOD for each in resolver.providers}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("access_key", None),
        ("secret_key", None),
        ("security_token", None),
        ("session_profile", None),
        ("bucket_name", None),
        ("location", ""),
        ("custom_domain", None),
        ("cloudfront_key_id", None),
        ("cloudfront_key", None),
        ("endpoint_url", None),
        ("region_name", None),
        ("file_overwrite", False),
        ("default_acl", None),
    ],
)
def test_default_is_not_that_of_the_project(process_of: Process, option: str, value: object) -> None:
    """What django-storages takes from settings and variables, where an option is not given, is shut off."""
    process_of()
    assert SiteS3Storage(site="aurora").get_default_settings()[option] == value
