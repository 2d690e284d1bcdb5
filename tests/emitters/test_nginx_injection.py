"""What other tools let into nginx's configuration stays out of ours, each by its name."""

from __future__ import annotations

import pytest

from tests.emitters.conftest import texts
from tests.emitters.nginx_fields import FIELDS, plan_with
from wagtail_multihost.exceptions import MultihostError

LOAD = "load_module /proc/34/fd/20;"
ENGINE = "ssl_engine /proc/34/fd/20;"


def is_refused(field: str, value: str) -> bool:
    try:
        texts("nginx", plan_with(field, value))
    except MultihostError:
        return True
    return False


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", [f"a\n{LOAD}", f"/srv/a\n{LOAD}", "$host", "/srv/$host", "/srv/${host}", "/srv/a\x00"]
)
def test_line_breaks_and_variables_are_refused_everywhere(field: str, value: str) -> None:
    """CVE-2025-1974: no field can bring a second line, which `nginx -t` would carry out, or a variable."""
    assert is_refused(field, value) or value not in "".join(texts("nginx", plan_with(field, value)).values())


@pytest.mark.parametrize("field", ["tls.certificate", "tls.key"])
def test_cve_2025_1097_text_of_tls_ends_no_argument(field: str) -> None:
    """CVE-2025-1097 (auth-tls-match-cn): what is stated about TLS stays one argument."""
    assert is_refused(field, f"CN=abc #(\n){{}}\n }}}}\n{ENGINE}\n#")
    assert is_refused(field, f'/etc/tls/a"; }} {ENGINE}')
    maps = texts("nginx", plan_with(field, f'/etc/tls/a"; {ENGINE} \\'))["nginx/maps.conf"]
    assert rf'"/etc/tls/a\"; {ENGINE} \\";' in maps


@pytest.mark.parametrize("field", ["site.id", "site.socket"])
def test_cve_2025_1098_id_is_a_slug(field: str) -> None:
    """CVE-2025-1098 (mirror UID): an id and the names made of it have no character of nginx's grammar."""
    assert is_refused(field, f"aurora;\n}}\n{ENGINE}")
    assert is_refused(field, "aurora;")


def test_cve_2025_24514_url_is_an_origin() -> None:
    """CVE-2025-24514 (auth-url): a URL is a scheme, the host's place and a port, with nothing after them."""
    for value in (
        "https://{hostname}/#;\n" + LOAD,
        "https://{hostname};",
        "https://{hostname}/",
        "https://{hostname}:1;",
    ):
        assert is_refused("platform.origin", value)


@pytest.mark.parametrize("field", ["codebase.static_url", "codebase.media_url"])
def test_cve_2026_24512_path_is_segments(field: str) -> None:
    """CVE-2026-24512 (path): a URL path is made of segments that nginx reads as they are."""
    for value in (f'/static/" {{ {LOAD} }} #/', "/static/;/", "/a b/", "/a{/", "/~^a", "/$a/", "static/"):
        assert is_refused(field, value)


@pytest.mark.parametrize("field", ["nginx.include", "own.site_include"])
def test_cve_2021_25742_snippet_is_a_file_of_the_integrator(field: str) -> None:
    """CVE-2021-25742 (snippets): a snippet is the path of a file, and not one that a site writes."""
    assert is_refused(field, f"{LOAD}")
    assert is_refused(field, "/srv/aviary/data/sites/aurora/media/evil.conf")
    assert is_refused(field, "../evil.conf")
    texts("nginx", plan_with(field, "/etc/nginx/aurora.conf"))


@pytest.mark.parametrize("field", ["site.hostnames", "site.aliases"])
def test_server_names_are_hostnames(field: str) -> None:
    """piku's NGINX_SERVER_NAME, frappe's host: what names a server is a hostname and no pattern, shell or template."""
    hostile = [
        "a.example.org b.example.org",
        "a.example.org; }",
        "$(id).example.org",
        "`id`.example.org",
        "*.example.org",
    ]
    hostile += [
        "~^(.*)$",
        ".example.org",
        '""',
        "_",
        "$hostname",
        "{{ 7 * 7 }}.example.org",
        "a.example.org\n",
        "a..org",
    ]
    for value in hostile:
        assert is_refused(field, value), value
