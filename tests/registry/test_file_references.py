"""Files that a registry names for secrets: each mistake is one sentence, and is none of another kind."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError


@pytest.mark.parametrize("path", ["keys/{sites}", "keys/{", "keys/}", "keys/\\u0007", "file:///keys"])
def test_path_of_a_secret_that_is_not_accepted_is_told_once(registry: RegistryMaker, path: str) -> None:
    """The problem names the key, and the secret, which there is none of, has no second one."""
    mail = f'mail = {{ host = "h", username = "u", password_file = "{path}" }}\n'
    with pytest.raises(ConfigurationError) as caught:
        registry(HEAD + AURORA + mail).site("aurora")
    [problem] = caught.value.problems
    assert problem.where.endswith("sites.aurora.mail.password_file")
    assert "accepted" in problem.message
