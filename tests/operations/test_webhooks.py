"""What the courier sends to a webhook, and whom it cannot be made to ask, with real name and web servers."""

from __future__ import annotations

import base64
import socket
import time
import uuid
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.health.certificates import make
from tests.operations.dns_server import Zone
from tests.operations.web_server import Answer, WebServer, running_web_server, saying
from tests.servers.processes import free_port
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.operations.courier.name_servers import NameServers
from wagtail_multihost.operations.courier.signing import public_text, read_or_make_key
from wagtail_multihost.operations.courier.webhooks import Deliveries, Delivery, NotToldError, Receivers, send
from wagtail_multihost.operations.courier.work_list import WorkList, parse_database

KEY = Ed25519PrivateKey.generate()
BODY = '{"v": 1, "site": "aurora"}'
LOOPBACK = (ip_network("127.0.0.0/8"),)
OWN = "has an address that is not public"


def delivery(url: str) -> Delivery:
    return Delivery(uuid.uuid4(), uuid.uuid4(), url, 7, BODY, uuid.uuid4())


def receivers(zone: Zone, seconds: float = 3, **more: object) -> Receivers:
    return Receivers(NameServers([zone.server], 1), seconds=seconds, **more)  # type: ignore[arg-type]


def problem(url: str, known: Receivers) -> str:
    with pytest.raises(NotToldError) as raised:
        send(delivery(url), KEY, known)
    return str(raised.value)


def whole(web: WebServer) -> tuple[dict[str, str], str, str]:
    """Return the headers, the first line and the body of the only request."""
    (request,) = web.requests
    head, _, body = request.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, first, body


def test_message_is_signed_as_standard_webhooks_are(zone: Zone) -> None:
    """The signature is of the id, the time and the body, and the public key that is shown tells it."""
    with running_web_server(saying("", "204 No Content")) as web:
        wanted = delivery(f"http://127.0.0.1:{web.port}/hook?for=dns")
        send(wanted, KEY, receivers(zone, allowed=LOOPBACK))
        headers, first, body = whole(web)
    assert first == "POST /hook?for=dns HTTP/1.1"
    assert (body, headers["content-type"], headers["webhook-id"]) == (BODY, "application/json", str(wanted.id))
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    version, _, text = headers["webhook-signature"].partition(",")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_text(KEY).removeprefix("whpk_")))
    key.verify(base64.b64decode(text), f"{wanted.id}.{headers['webhook-timestamp']}.{BODY}".encode())
    assert version == "v1a"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"]
)
def test_private_address_is_refused(zone: Zone, host: str) -> None:
    """Whatever somebody who has taken the web process over writes into a webhook."""
    assert OWN in problem(f"https://{host}/", receivers(zone))


@pytest.mark.parametrize(
    "query",
    [
        "?a HTTP/1.1\r\nHost: inside\r\n\r\nDELETE /all",
        "?\nX-Admin: yes",
        "?a b",
        "?a#b",
        "?\x7f",
        "?\u00e9",
    ],
)
def test_query_is_no_second_request(zone: Zone, query: str) -> None:
    """What is written into a webhook reaches a server as one line, also where its network is allowed."""
    with running_web_server(saying("", "204 No Content")) as web:
        said = problem(f"http://127.0.0.1:{web.port}/hook{query}", receivers(zone, allowed=LOOPBACK))
        assert not web.requests
    assert "no address of a web server" in said


def test_name_with_a_private_address_is_refused(zone: Zone) -> None:
    """Also beside a public one, and where it is not in the network that is allowed."""
    with running_web_server(saying("")) as web:
        for records in (["A 127.0.0.1"], ["A 93.184.215.14", "A 127.0.0.1"]):
            zone.answers["hooks.test"] = records
            assert OWN in problem(f"https://hooks.test:{web.port}/", receivers(zone))
            assert OWN in problem(
                f"https://hooks.test:{web.port}/", receivers(zone, allowed=(ip_network("10.0.0.0/8"),))
            )
        assert web.connections == 0
    zone.answers["hooks.test"] = ["A 93.184.215.14"]
    refused = receivers(zone, refused=(ip_network("93.184.215.0/24"),))
    assert OWN in problem("https://hooks.test/", refused)


@pytest.mark.parametrize(
    "url",
    ["unix:/run/docker.sock", "uwsgi:/run/a.sock", "uwsgi://127.0.0.1:3031", "https://a@b/", "file:///etc/passwd"],
)
def test_what_is_no_web_server_is_refused(zone: Zone, url: str) -> None:
    assert problem(url, receivers(zone, allowed=LOOPBACK)) == "It is no address of a web server."


def test_public_server_is_told_over_https_alone(zone: Zone) -> None:
    zone.answers["hooks.test"] = ["A 93.184.215.14"]
    assert "must begin with https://" in problem("http://hooks.test/", receivers(zone))


def test_certificate_must_count(zone: Zone, tmp_path: Path) -> None:
    """As any client asks it: the message is signed, but it says what happened."""
    authority = make("authority", 10)
    trusted = authority.write(tmp_path, "authority")
    zone.answers["hooks.test"] = ["A 127.0.0.1"]
    with running_web_server(saying(""), certificate=make("hooks.test", 10, authority).write(tmp_path, "hooks")) as web:
        url = f"https://hooks.test:{web.port}/"
        assert "certificate" in problem(url, receivers(zone, allowed=LOOPBACK)).lower()
        send(delivery(url), KEY, receivers(zone, allowed=LOOPBACK, ca_file=str(trusted)))
        assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (saying("", "302 Found", "Location: http://127.0.0.1/"), "redirect (302), which is not followed"),
        (saying("a secret of the network", "500 Oops"), "answered with the status 500."),
        (saying("", "410 Gone"), "answered with the status 410."),
        (lambda connection: connection.sendall(b"SSH-2.0\r\n\r\n"), "not HTTP"),
        (lambda connection: None, "not HTTP, or was cut off"),
    ],
)
def test_answer_that_is_no_success_is_a_sentence(zone: Zone, answer: Answer, sentence: str) -> None:
    """Nothing that the server said is in it but its status."""
    with running_web_server(answer) as web:
        found = problem(f"http://127.0.0.1:{web.port}/", receivers(zone, allowed=LOOPBACK))
    assert sentence in found
    assert "secret" not in found
    assert len(web.requests) == 1


def test_endless_and_silent_answers_end(zone: Zone) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with running_web_server(endless) as web:
        start = time.monotonic()
        send(delivery(f"http://127.0.0.1:{web.port}/"), KEY, receivers(zone, allowed=LOOPBACK))
        assert time.monotonic() - start < 2
    with running_web_server(lambda connection: time.sleep(3)) as web:
        found = problem(f"http://127.0.0.1:{web.port}/", receivers(zone, 0.5, allowed=LOOPBACK))
    assert "no answer within 0.5 seconds" in found
    assert "no answer" in problem(f"http://127.0.0.1:{free_port()}/", receivers(zone, allowed=LOOPBACK))


class EmptyList(WorkList):
    """A work list that knows every message, without a database."""

    def ask_newer(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return [(True,)]


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://who:hush@hooks.example.com:8443/hush?key=hush#hush", "hooks.example.com"), ("//[hush", "no host")],
)
def test_log_names_the_webhook_and_its_host_alone(
    zone: Zone, caplog: pytest.LogCaptureFixture, url: str, host: str
) -> None:
    """Which receiver has failed; whoever knows its path may write there."""
    work = EmptyList(parse_database("postgresql://x@localhost/x"))
    sent = delivery(url)
    Deliveries(work, KEY, receivers(zone), 1).report(sent, "The server answered with the status 500.")
    assert f"to the webhook {sent.webhook} ({host}): The server answered with the status 500." in caplog.text
    assert "hush" not in caplog.text


def test_key_of_others_is_not_used(tmp_path: Path) -> None:
    """It is made once, for its account alone, and a file that others can read is refused."""
    folder = tmp_path / "state"
    first = public_text(read_or_make_key(folder))
    assert public_text(read_or_make_key(folder)) == first
    (folder / "webhook.key").chmod(0o644)
    with pytest.raises(MultihostError, match=r"webhook\.key"):
        read_or_make_key(folder)
    (folder / "webhook.key").chmod(0o600)
    (folder / "webhook.key").write_text("no key")
    with pytest.raises(MultihostError, match="no private Ed25519 key"):
        read_or_make_key(folder)
