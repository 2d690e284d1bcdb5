"""Values of one site that would hurt all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import make_plan, make_site, texts
from wagtail_multihost.exceptions import ConfigurationError, RenderError
from wagtail_multihost.spec.nginx import NginxOptions


def test_limit_that_nginx_does_not_start_with_is_refused() -> None:
    """One site's limit of connections cannot keep nginx, and all sites, from starting."""
    assert NginxOptions(client_connections=65_535).client_connections == 65_535
    with pytest.raises(ConfigurationError, match="client_connections"):
        NginxOptions(client_connections=65_536)


@pytest.mark.parametrize("key", ["directory", "virtualenv", "pythonpath"])
def test_file_in_the_code_of_a_site_is_no_configuration(key: str) -> None:
    """What a customer can write beside own code is not read by nginx, for whichever site it is named."""
    folder = Path("/srv/customers/aurora")
    code = ((key, (str(folder),) if key == "pythonpath" else folder),)
    include = (("site_include", folder / "nginx.conf"),)
    with pytest.raises(RenderError, match="sites can write to that folder"):
        texts("nginx", make_plan(make_site("aurora", code=code), make_site("borealis", nginx=include)))
