"""
Case 04: proxies write forwarded headers as lists, in any case and in quotes. nginx reads them once, and the
application hears one value of each fact, whatever the header looked like; and nobody else's word counts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emitters.conftest import make_site
from tests.emitters.front import opened_front
from tests.servers.chain import HOST, WITH_DJANGO, Chain, opened_chain

pytestmark = pytest.mark.servers

PROTO = ("HTTP_X_FORWARDED_PROTO", "https")
HTTPS = (
    "https",
    "https,http",
    "https, https",
    "https , http",
    "https,\thttp",
    "HTTPS",
    "Https,HTTP",
    '"https"',
    '"https", "http"',
    ", https",
    " ,\thttps ,",
)
HTTP = ("http", "http,https", "HTTP, https", '"http"', "", " ", ",", "https:", "httpsx", "xhttps", "wss", "https http")
#: An address as proxies write it, and as the application hears it.
ADDRESSES = {
    "203.0.113.7": "203.0.113.7",
    " 203.0.113.7 ": "203.0.113.7",
    "203.0.113.7:4711": "203.0.113.7",
    "2001:db8::7": "2001:db8::7",
    "[2001:db8::7]:4711": "2001:db8::7",
    "198.51.100.9, 203.0.113.7": "203.0.113.7",
    "198.51.100.9,203.0.113.7:80 , 10.1.1.1": "203.0.113.7",
    "unknown, 203.0.113.7": "203.0.113.7",
    '"198.51.100.9", 203.0.113.7': "203.0.113.7",
    "203.0.113.7, [2001:db8::1]:443": "2001:db8::1",
    # What is no address: the last that is known counts, which is the proxy's.
    "unknown": "127.0.0.1",
    "": "127.0.0.1",
}
LIES = (
    "X-Forwarded-Host: evil.example.com, aurora.example.org",
    "X-Forwarded-Port: 4443, 80",
    "X-Forwarded-Ssl: on",
    "X-Real-IP: 10.9.9.9",
    'Forwarded: for="[2001:db8::9]:1";host=evil.example.com;proto=https',
    "Proxy: evil.example.com",
)


def scheme(chain: Chain, *headers: str) -> tuple[str, ...]:
    """Return the scheme and the port as Django, the runner and the header itself have them."""
    told = chain.ask("/django", *headers).told
    environ = told["environ"]
    assert told["django"]["host"] == HOST
    heard = environ["HTTP_X_FORWARDED_PROTO"]
    assert {name: environ[name] for name in environ if "FORWARDED" in name} == {
        "HTTP_X_FORWARDED_HOST": HOST,
        "HTTP_X_FORWARDED_FOR": environ["REMOTE_ADDR"],
        "HTTP_X_FORWARDED_PROTO": heard,
        "HTTP_X_FORWARDED_PORT": environ["SERVER_PORT"],
        "HTTP_X_FORWARDED_SSL": "on" if heard == "https" else "off",
        "HTTP_FORWARDED": f"proto={heard}",
    }
    assert environ.get("HTTP_X_REAL_IP", environ["REMOTE_ADDR"]) == environ["REMOTE_ADDR"]
    assert "HTTP_PROXY" not in environ
    return (told["django"]["scheme"], environ["wsgi.url_scheme"], heard, environ["SERVER_PORT"])


@pytest.mark.parametrize("carrier", WITH_DJANGO)
def test_forwarded_headers_are_one_value_to_the_application(folder: Path, carrier: str) -> None:
    """In every spelling that proxies use, Django, the runner and nginx have the same scheme, host, port and address."""
    proxies = ("127.0.0.0/8", "10.0.0.0/8")
    with opened_chain(folder, carrier, nginx={"proxies": proxies}, secure_proxy_ssl_header=PROTO) as chain:
        for value in HTTPS:
            found = scheme(chain, f"X-Forwarded-Proto: {value}", *LIES)
            assert found == ("https", "https", "https", "443"), value
        for value in HTTP:
            assert scheme(chain, f"X-Forwarded-Proto: {value}", *LIES) == ("http", "http", "http", "80"), value
        assert scheme(chain, *LIES) == ("http", "http", "http", "80")
        for value, address in ADDRESSES.items():
            told = chain.ask("/django", f"X-Forwarded-For: {value}", *LIES).told
            environ = told["environ"]
            assert (environ["REMOTE_ADDR"], environ["HTTP_X_FORWARDED_FOR"]) == (address, address), value


@pytest.mark.parametrize("carrier", WITH_DJANGO)
def test_client_that_is_no_proxy_is_not_believed(folder: Path, carrier: str) -> None:
    """Who is not in `proxies` states neither its scheme nor its address, whatever it writes."""
    with opened_chain(folder, carrier, nginx={"proxies": ("10.0.0.0/8",)}, secure_proxy_ssl_header=PROTO) as chain:
        for value in HTTPS:
            headers = (f"X-Forwarded-Proto: {value}", "X-Forwarded-For: 10.0.0.1, 203.0.113.7", *LIES)
            assert scheme(chain, *headers) == ("http", "http", "http", "80")
            environ = chain.ask("/django", *headers).told["environ"]
            assert (environ["REMOTE_ADDR"], environ["HTTP_X_FORWARDED_FOR"]) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("carrier", WITH_DJANGO)
def test_word_of_another_header_and_of_a_proxy_without_a_name(folder: Path, carrier: str) -> None:
    """With a header and a word of its own, and no proxies named, the platform's proxy is read in the same way."""
    header = ("HTTP_X_FORWARDED_SSL", "on")
    with opened_chain(folder, carrier, secure_proxy_ssl_header=header, origin="https://{hostname}:8443") as chain:
        for value, expected in (("on", "https"), ("ON, off", "https"), ("off,on", "http"), ("", "http"), ("1", "http")):
            headers = (f"X-Forwarded-Ssl: {value}", "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7")
            told = chain.ask("/django", *headers).told
            environ = told["environ"]
            assert told["django"] == {"scheme": expected, "host": f"{HOST}:8443", "port": "8443"}, value
            assert (environ["wsgi.url_scheme"], environ["HTTP_X_FORWARDED_PROTO"]) == (expected, expected)
            assert environ["HTTP_X_FORWARDED_SSL"] == ("on" if expected == "https" else "http")
            assert environ["REMOTE_ADDR"] == environ["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


def test_visitor_on_https_is_not_redirected_there(folder: Path) -> None:
    """Where nginx has a certificate too, who is on https in any spelling gets the page, and nobody is sent around."""
    folder.chmod(0o755)
    front = opened_front(folder)
    aurora = make_site("aurora", tls=front.certify(HOST))
    plan = front.plan(aurora, nginx={"proxies": ("127.0.0.0/8",)}, secure_proxy_ssl_header=PROTO)
    with front.serving(plan, "aurora"):
        assert {value: front.ask(HOST, X_Forwarded_Proto=value).status for value in HTTPS} == dict.fromkeys(HTTPS, 200)
        assert {value: front.ask(HOST, X_Forwarded_Proto=value).status for value in HTTP} == dict.fromkeys(HTTP, 301)
        assert front.ask(HOST).status == 301
        assert front.ask_tls(HOST).asked["HTTP_X_FORWARDED_PROTO"] == "https"
        assert front.ask_tls(HOST, X_Forwarded_Proto="http, https").asked["HTTP_X_FORWARDED_PROTO"] == "http"
