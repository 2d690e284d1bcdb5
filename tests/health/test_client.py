"""Asking a running server: what is sent, what is believed of the answer, and the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wagtail_multihost.health import asking
from wagtail_multihost.health.__main__ import main
from wagtail_multihost.health.asking import read_token
from wagtail_multihost.http_client import client
from wagtail_multihost.http_client.client import NoAnswerError, Target, ask_server

TOKEN = "t" * 40
Ask = Callable[..., tuple[int, str, str]]


def answer(body: str, status: str = "200 OK", *headers: str) -> bytes:
    """Return an answer of the endpoint."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return "\r\n".join(lines).encode()


PASSING = answer("pass")


class Server:
    """Answers every connection with the same bytes, and keeps what it was sent."""

    def __init__(self, listening: socket.socket, reply: bytes, *, closes: bool = True) -> None:
        self.listening, self.reply, self.closes = listening, reply, closes
        self.received: list[bytes] = []
        self.held: list[socket.socket] = []
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            connection.settimeout(10)
            with contextlib.suppress(OSError):
                self.received.append(connection.recv(1 << 16))
                connection.sendall(self.reply)
            if self.closes:
                connection.close()
            else:
                self.held.append(connection)

    def stop(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listening.close()
        for connection in self.held:
            connection.close()

    @property
    def address(self) -> str:
        host, port = self.listening.getsockname()
        return f"{host}:{port}"

    @property
    def lines(self) -> list[str]:
        """The lines of the last request."""
        return self.received[-1].decode().split("\r\n")


@pytest.fixture(name="serve")
def _serve() -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def start(reply: bytes = PASSING, path: str = "", *, closes: bool = True) -> Server:
            listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
            listening.bind(path or ("127.0.0.1", 0))
            listening.listen(16)
            server = Server(listening, reply, closes=closes)
            server.thread.start()
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(name="command")
def _command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run ``multihost-health``; return its exit code, output and report."""
    monkeypatch.setattr(asking, "SECONDS", 60)  # a busy machine is no failure

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["multihost-health", *words])
        try:
            code = main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture(name="short")
def _short() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        yield Path(name)


@pytest.mark.parametrize(
    ("word", "status", "code", "probe"),
    [
        ("pass", "200 OK", 0, 0),
        ("warn", "200 OK", 3, 0),
        ("fail", "503 X", 1, 1),
        ("draining", "503 X", 1, 1),
        ("starting", "503 X", 1, 1),
        ("stale", "503 X", 1, 1),
        ("pass", "503 X", 2, 1),
        ("fail", "200 OK", 2, 1),
        ("passing", "200 OK", 2, 1),
        ("<html>pass</html>", "200 OK", 2, 1),
        ("", "200 OK", 2, 1),
        ("pass", "204 No Content", 2, 1),
        ("unauthorized", "401 X", 2, 1),
        ("Bad Gateway", "502 X", 2, 1),
        ("pass", "301 X", 2, 1),
    ],
)
def test_exit_code_is_of_word_and_status(
    serve: Callable[..., Server], command: Ask, word: str, status: str, code: int, probe: int
) -> None:
    """Both must agree: what a proxy or another server answers is not taken for the endpoint's."""
    server = serve(answer(word, status))
    assert command("--url", f"http://{server.address}")[0] == code
    found, out, err = command("--probe", "--url", f"http://{server.address}")
    assert (found, out.count("\n"), err) == (probe, 1, "")


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"status": "pass"}, "200 OK", 0),
        ({"status": "warn"}, "200 OK", 3),
        ({"status": "fail", "output": "draining"}, "503 X", 1),
        ({"status": "pass"}, "503 X", 2),
        ({"status": ["pass"]}, "200 OK", 2),
        (["pass"], "200 OK", 2),
    ],
)
def test_json_is_asked_for_and_understood(
    serve: Callable[..., Server], command: Ask, document: object, status: str, code: int
) -> None:
    """The status of application/health+json counts as the word does."""
    server = serve(answer(json.dumps(document), status, "Content-Type: application/health+json"))
    found, out, _ = command("--json", "--url", f"http://{server.address}")
    assert found == code
    assert server.lines[0] == "GET /-/health.json HTTP/1.1"
    if code != 2:
        assert json.loads(out) == document


def test_text_is_not_taken_for_json(serve: Callable[..., Server], command: Ask) -> None:
    """Who asks for JSON gets JSON: here the problem, with exit code 2."""
    code, out, _ = command("--json", "--url", f"http://{serve().address}")
    (problem,) = json.loads(out)["problems"]
    assert (code, problem["message"]) == (2, "The answer is not a JSON object.")


@pytest.mark.parametrize(
    ("words", "path"), [(("--probe",), "/-/ready"), ((), "/-/health.txt"), (("--json",), "/-/health.json")]
)
def test_path_is_the_endpoints_unless_named(
    serve: Callable[..., Server], command: Ask, words: tuple[str, ...], path: str
) -> None:
    """Without a path each form asks for its own; a stated one is asked for as it is."""
    server = serve()
    for url, expected in {"": path, "/": path, "/up/live": "/up/live"}.items():
        command(*words, "--url", f"http://{server.address}{url}")
        assert server.lines[0] == f"GET {expected} HTTP/1.1"


def test_host_is_the_urls_and_the_connection_is_closed(serve: Callable[..., Server], command: Ask) -> None:
    """The server hears the name that was asked for, and that there is no second request."""
    server = serve()
    port = server.address.rpartition(":")[2]
    assert command("--probe", "--url", f"http://localhost:{port}")[0] == 0
    assert f"Host: localhost:{port}" in server.lines and "Connection: close" in server.lines


def test_unix_socket_is_asked_in_http(serve: Callable[..., Server], command: Ask, short: Path) -> None:
    """A path may follow the socket's, as nginx writes it."""
    server = serve(path=str(short / "a.sock"))
    assert command("--probe", "--url", f"unix:{short}/a.sock")[0] == 0
    assert server.lines[:2] == ["GET /-/ready HTTP/1.1", "Host: localhost"]
    assert command("--probe", "--url", f"unix:{short}/a.sock:/-/live")[0] == 0
    assert server.lines[0] == "GET /-/live HTTP/1.1"


def test_uwsgi_protocol_has_all_variables(serve: Callable[..., Server], command: Ask, short: Path) -> None:
    """The packet's length and the variables are those of the protocol, by socket and by port."""
    servers = [serve(path=str(short / "a.sock")), serve()]
    for server, url in zip(servers, [f"uwsgi:{short}/a.sock", f"uwsgi://{servers[1].address}"], strict=True):
        assert command("--probe", "--url", url)[0] == 0
        packet = server.received[0]
        assert packet[0] == packet[3] == 0 and int.from_bytes(packet[1:3], "little") == len(packet) - 4
        assert b"\x09\x00PATH_INFO\x08\x00/-/ready" in packet and b"\x0e\x00REQUEST_METHOD\x03\x00GET" in packet
        # Nobody may say for a visitor where he comes from.
        assert b"REMOTE_ADDR" not in packet


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://127.0.0.1",
        "http://",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1/?token=x",
        "http://127.0.0.1/ HTTP/1.1\r\nX: y",
        "http://127.0.0.1\r\nX: y",
        "http://127.0.0.1/\n",
        "uwsgi://127.0.0.1",
        "unix:a.sock",
        "unix://a.sock",
        "unix:/",
        "unix:/a.sock:/ b",
    ],
)
def test_url_that_is_not_accepted_is_exit_code_2(command: Ask, url: str) -> None:
    """Nothing is sent where the URL is not plainly one of the five forms."""
    code, out, err = command("--url", url)
    assert (code, out) == (2, "") and "is not accepted" in err
    assert command("--probe", "--url", url)[0] == 1


@pytest.mark.parametrize(
    ("url", "name", "secret"),
    [
        ("http://127.0.0.1", "127.0.0.1", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://web_1:8000", "web_1:8000", False),
        ("http://127.0.0.1.example.org", "127.0.0.1.example.org", False),
        ("http://10.0.0.1", "10.0.0.1", False),
        ("uwsgi://10.0.0.1:3031", "10.0.0.1:3031", False),
        ("https://aurora.example.org:443", "aurora.example.org", True),
        ("unix:/run/a.sock", "localhost", True),
        ("uwsgi:/run/a.sock", "localhost", True),
    ],
)
def test_token_goes_by_itself_only_where_nobody_listens(url: str, name: str, secret: bool) -> None:
    """What is known without being named is not sent in the clear over a network."""
    target = Target(url)
    assert (target.name, target.keeps_secrets) == (name, secret)


def test_token_of_a_file_is_sent_in_the_header(serve: Callable[..., Server], command: Ask, tmp_path: Path) -> None:
    """The token is neither in the arguments nor in the URL."""
    server, file = serve(), tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert command("--url", f"http://{server.address}", "--token-file", str(file))[0] == 0
    assert f"Authorization: Bearer {TOKEN}" in server.lines
    assert command("--url", f"http://{server.address}")[0] == 0
    assert not any(line.startswith("Authorization") for line in server.lines)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX: y", "é", "\x1b[2J"])
def test_token_that_cannot_be_a_header_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is something else is not sent to anybody, nor shown."""
    (tmp_path / "token").write_text(text)
    with pytest.raises(NoAnswerError, match="holds no token"):
        read_token(str(tmp_path / "token"))


@pytest.mark.parametrize("path", ["none", "."])
def test_token_that_cannot_be_read_is_exit_code_2(command: Ask, tmp_path: Path, path: str) -> None:
    """A missing file is not the same as no token."""
    assert command("--url", "http://127.0.0.1:9", "--token-file", str(tmp_path / path))[0] == 2


def test_redirect_is_not_followed(serve: Callable[..., Server], command: Ask) -> None:
    """A redirect answers nothing, wherever it leads: it could look healthy without anything having been looked at."""
    other = serve()
    server = serve(answer("", "302 Found", f"Location: http://{other.address}/-/ready"))
    code, _, err = command("--url", f"http://{server.address}")
    assert code == 2 and "redirect" in err
    assert not other.received


def test_proxy_in_the_environment_is_not_used(
    serve: Callable[..., Server], command: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would answer for itself, and hear the token."""
    proxy, server = serve(answer("fail", "503 X")), serve()
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{proxy.address}")
    assert command("--probe", "--url", f"http://{server.address}")[0] == 0
    assert not proxy.received


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npass",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npass",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\npass\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\npass",
        b"HTTP/1.1 2000 OK\r\n\r\npass",
        b"\x00\xff\r\n\r\npass",
    ],
)
def test_answer_that_is_broken_is_exit_code_2(serve: Callable[..., Server], command: Ask, reply: bytes) -> None:
    """Another protocol, and an answer that was cut off, tell nothing."""
    assert command("--url", f"http://{serve(reply).address}")[0] == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\n\r\npass",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\npa\r\n2;x=y\r\nss\r\n0\r\n\r\n",
        b"HTTP/1.1 200\r\ncontent-length:4\r\n\r\npass and what is none of the answer",
    ],
)
def test_answer_ends_as_http_has_it(serve: Callable[..., Server], command: Ask, reply: bytes) -> None:
    """By its length, by its last chunk, or with the connection."""
    assert command("--url", f"http://{serve(reply).address}")[:2] == (0, "pass\n")


def test_connection_that_stays_open_is_not_waited_for(serve: Callable[..., Server], command: Ask) -> None:
    """Who has all of the answer needs no end of the connection."""
    assert command("--url", f"http://{serve(closes=False).address}", "--timeout", "60")[0] == 0


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npas"])
def test_server_that_hangs_is_exit_code_2(serve: Callable[..., Server], command: Ask, reply: bytes) -> None:
    """The timeout is for the whole answer."""
    server = serve(reply, closes=False)
    code, _, err = command("--url", f"http://{server.address}", "--timeout", "0.2")
    assert code == 2 and "within 0.2 seconds" in err


def test_server_that_drips_is_held_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then does not get the timeout anew with each."""
    now = iter(range(1000))
    monkeypatch.setattr(client.time, "monotonic", lambda: float(next(now)))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        feeding = Feeding(ours, theirs)
        with pytest.raises(TimeoutError):
            client.receive_answer(feeding, 10)  # type: ignore[arg-type]
    assert feeding.count < 20


class Feeding:
    """A connection that gets a byte more before each read."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self.ours, self.theirs, self.count = ours, theirs, 0

    def settimeout(self, seconds: float) -> None:
        self.ours.settimeout(5)

    def recv(self, size: int) -> bytes:
        self.count += 1
        self.theirs.sendall(b"x")
        return self.ours.recv(1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_answer_without_end_is_refused(
    serve: Callable[..., Server], command: Ask, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server cannot fill the memory of who asks it."""
    monkeypatch.setattr(client, "MAX_BYTES", 1000)
    monkeypatch.setattr(client, "MAX_HEAD_BYTES", 1000)
    code, _, err = command("--url", f"http://{serve(head + b'x' * 100_000).address}")
    assert code == 2 and "too long" in err


def test_answer_cannot_steer_a_terminal(serve: Callable[..., Server], command: Ask) -> None:
    """A site that is asked prints nothing but characters on the operator's screen."""
    server = serve(answer("pass\n\x1b]0;title\x07\x1b[2Jx\r\u202ey"))
    assert command("--url", f"http://{server.address}")[1] == "pass\n]0;title[2Jxy\n"
    document = answer(json.dumps({"status": "pass", "x": "\x1b"}), "200 OK", "Content-Type: application/json")
    assert "\x1b" not in command("--json", "--url", f"http://{serve(document).address}")[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "unix:{folder}/none.sock", "unix:{folder}/" + "x" * 200])
def test_server_that_is_not_there_is_exit_code_2(command: Ask, url: str, short: Path) -> None:
    """Nobody who listens is not the same as a failure; for a probe it is."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = url.format(port=closed.getsockname()[1], folder=short)
        assert command("--url", url)[0] == 2
        assert command("--probe", "--url", url)[0] == 1


@pytest.mark.parametrize(
    ("words", "method", "body"), [(("--drain",), "POST", "draining"), (("--undrain",), "DELETE", "serving")]
)
def test_drain_is_asked_for_with_the_token(
    serve: Callable[..., Server], command: Ask, tmp_path: Path, words: tuple[str, ...], method: str, body: str
) -> None:
    """A drain over a socket needs no file of the server's."""
    server = serve(answer(body))
    (tmp_path / "token").write_text(TOKEN)
    options = ("--url", f"http://{server.address}", "--token-file", str(tmp_path / "token"))
    assert command(*words, *options) == (0, f"{body}\n", "")
    assert server.lines[0] == f"{method} /-/drain HTTP/1.1" and f"Authorization: Bearer {TOKEN}" in server.lines


@pytest.mark.parametrize("reply", [answer("unauthorized", "401 X"), answer("", "405 X"), answer("hello")])
def test_drain_that_was_not_done_is_exit_code_2(serve: Callable[..., Server], command: Ask, reply: bytes) -> None:
    """A hook that did nothing must not look as if it had."""
    assert command("--drain", "--url", f"http://{serve(reply).address}")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--probe", "--json", "--url", "http://127.0.0.1:9"),
        ("--timeout", "0", "--url", "http://127.0.0.1:9"),
        ("--timeout", "nan", "--url", "http://127.0.0.1:9"),
        ("--wait", "-1", "--url", "http://127.0.0.1:9"),
        ("--nonsense",),
    ],
)
def test_wrong_arguments_are_exit_code_2_and_for_probes_1(command: Ask, words: tuple[str, ...]) -> None:
    """Docker keeps the exit code 2 for itself."""
    assert command(*words)[0] == (1 if "--probe" in words else 2)
    assert command("--probe", *words)[0] == 1


def test_version_needs_no_url(command: Ask) -> None:
    """The version is that of the package."""
    code, out, _ = command("--version")
    assert code == 0 and re.fullmatch(r"[0-9]+\.[0-9]+.*\n", out)


def test_module_of_the_working_folder_does_not_run(tmp_path: Path) -> None:
    """A monitor that stands in a site's folder runs none of the site's files that are named like a module."""
    for name in ("__future__", "argparse", "socket", "typing"):
        (tmp_path / f"{name}.py").write_text("print('PLANTED', flush=True)\nraise SystemExit(9)\n")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    command = [sys.executable, "-W", "ignore", "-m", "wagtail_multihost.health", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "PLANTED" in done.stdout) == (0, False), done.stdout + done.stderr


def test_asking_imports_no_django() -> None:
    """A HEALTHCHECK every few seconds costs as much as Python's start and little more."""
    code = (
        "import runpy, sys\n"
        "before = {name.partition('.')[0] for name in sys.modules}\n"  # what measures coverage loads is not ours
        "import wagtail_multihost.health.drain, wagtail_multihost.health.status\n"
        "sys.argv = ['x', '--probe', '--url', 'http://127.0.0.1:1']\n"
        "try: runpy.run_module('wagtail_multihost.health', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 1, end.code\n"
        "loaded = {name.partition('.')[0] for name in sys.modules} - before\n"
        "slow = {'django', 'wagtail', 'asgiref', 'http', 'ssl', 'json', 'email', 'asyncio', 'logging', 'inspect'}\n"
        "assert not loaded & slow, loaded & slow\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_full_queue_is_waited_for_until_the_deadline(short: Path) -> None:
    """A socket whose queue is full answers nobody: that is told after the timeout."""
    with socket.socket(socket.AF_UNIX) as full, contextlib.ExitStack() as stack:
        full.bind(str(short / "full.sock"))
        full.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(short / "full.sock"))
        with pytest.raises(NoAnswerError, match="There was no answer within"):
            ask_server(Target(f"unix:{short}/full.sock"), "/-/live", seconds=0.2)
