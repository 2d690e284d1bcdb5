"""What the application hears of its visitor, whatever the visitor or a proxy states."""

from __future__ import annotations

from tests.conformance.behaviours import PROXY, Behaviour, Wanted, alone, request
from tests.servers.chain import HOST

NO_PROXIES = (
    "uWSGI's router has no list of proxies: it believes nobody, and states its own end of the connection. Put nginx in "
    "front where a proxy ends TLS."
)
LIES = (
    "X-Forwarded-Host: evil.example.com, aurora.example.org",
    "X-Forwarded-Port: 4443, 80",
    "X-Forwarded-Ssl: on",
    "X-Real-IP: 10.9.9.9",
    'Forwarded: for="[2001:db8::9]:1";host=evil.example.com;proto=https',
    "Proxy: evil.example.com",
)
#: What the word of a proxy makes of a scheme.
SCHEMES = {
    "https": "https",
    "HTTPS": "https",
    "https,http": "https",
    "https , http": "https",
    '"https", "http"': "https",
    " ,\thttps ,": "https",
    "http,https": "http",
    "wss": "http",
    " ": "http",
}
#: What the word of a proxy makes of an address.
ADDRESSES = {
    "203.0.113.7": "203.0.113.7",
    " 203.0.113.7 ": "203.0.113.7",
    "203.0.113.7:4711": "203.0.113.7",
    "2001:db8::7": "2001:db8::7",
    "[2001:db8::7]:4711": "2001:db8::7",
    "198.51.100.9, 203.0.113.7:80": "203.0.113.7",
    "unknown, 203.0.113.7": "203.0.113.7",
    "unknown": PROXY,
    "": PROXY,
}


def heard(scheme: str, address: str) -> dict[str, object]:
    return {
        "scheme": scheme,
        "HTTP_HOST": HOST,
        "HTTP_X_FORWARDED_HOST": HOST,
        "HTTP_X_FORWARDED_PROTO": scheme,
        "HTTP_X_FORWARDED_SSL": "on" if scheme == "https" else "off",
        "HTTP_X_FORWARDED_FOR": address,
        "HTTP_FORWARDED": f"proto={scheme}",
        "REMOTE_ADDR": address,
    }


def header(name: str, value: str) -> str:
    written = value.replace("\t", "\\t")
    return f"`{name}: {written}`" if value.strip() else f"`{name}`, blank"


def of_scheme(value: str, scheme: str) -> Behaviour:
    headers = (f"X-Forwarded-Proto: {value}", *LIES)
    note = f"{scheme} to the application"
    return Behaviour(
        f"A proxy's {header('X-Forwarded-Proto', value)}",
        (request("/", *headers),),
        (Wanted(200, note, told=heard(scheme, PROXY)),),
        alone(NO_PROXIES, Wanted(200, "http", told=heard("http", PROXY))) if scheme == "https" else {},
        PROXY,
    )


def of_address(value: str, address: str) -> Behaviour:
    return Behaviour(
        f"A proxy's {header('X-Forwarded-For', value)}",
        (request("/", f"X-Forwarded-For: {value}", *LIES),),
        (Wanted(200, f"{'the proxy' if address == PROXY else address}", told=heard("http", address)),),
        alone(NO_PROXIES, Wanted(200, "the proxy", told=heard("http", PROXY))) if address != PROXY else {},
        PROXY,
    )


BEHAVIOURS = (
    Behaviour(
        "A visitor's own forwarded headers",
        (request("/", "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7", *LIES),),
        (Wanted(200, "not believed", told={**heard("http", "127.0.0.1"), "HTTP_PROXY": None}),),
        alone(
            "The header `Proxy` is blank instead of missing, which httpoxy needs.",
            Wanted(200, "not believed", told={**heard("http", "127.0.0.1"), "HTTP_PROXY": ""}),
        ),
    ),
    Behaviour(
        "Forwarded headers twice",
        (request("/", *["X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example.com"] * 2),),
        (Wanted(200, "not believed", told=heard("http", "127.0.0.1")),),
    ),
    Behaviour(
        "Forwarded headers with underscores",
        (request("/", "X_Forwarded_Proto: https", "X_Forwarded_Host: evil.example.com", "X_Real_IP: 10.9.9.9"),),
        (Wanted(200, "not believed", told=heard("http", "127.0.0.1")),),
    ),
    *(of_scheme(*item) for item in SCHEMES.items()),
    *(of_address(*item) for item in ADDRESSES.items()),
)
