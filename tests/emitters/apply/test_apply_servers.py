"""A real nginx goes on with its old configuration, whatever goes wrong with a new one."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_plan
from tests.servers.nginx import PROGRAM, raw, running_nginx, status_of
from tests.servers.processes import free_port, wait_for
from wagtail_multihost.emitters import EmittedFile, Emitter, Plan, Stage, Validation
from wagtail_multihost.emitters.apply import ApplyRequest, ApplyResult, apply
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.exceptions import ApplyError, EmitError

pytestmark = pytest.mark.servers

MAIN = """\
error_log stderr;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    server {{
        listen 127.0.0.1:{port}{line};
        include generation.conf;
        location / {{ return 200 "{text}"; }}
    }}
    {more}
}}
"""


class Front:
    """nginx in front of nothing: it answers with ``text``. ``more`` is what else its configuration has."""

    def __init__(self, folder: Path, directory: Path) -> None:
        self.folder, self.directory = folder, directory
        self.port = free_port()
        self.text, self.more, self.line = "one", "", ""
        self.program = str(PROGRAM)

    def emit(self, plan: Plan) -> Iterator[EmittedFile]:
        text = MAIN.format(folder=self.folder, port=self.port, text=self.text, more=self.more, line=self.line)
        yield EmittedFile(PurePosixPath("front/nginx.conf"), f"{OWNERSHIP_LINE}\n{text}")

    @staticmethod
    def generation(token: str) -> EmittedFile:
        text = f'{OWNERSHIP_LINE}\nlocation = /-/generation {{ return 200 "{token}"; }}\n'
        return EmittedFile(PurePosixPath("front/generation.conf"), text)

    def validate(self, stage: Stage) -> Iterator[Validation]:
        config = str(stage.folder / "front/nginx.conf")
        yield Validation((self.program, "-t", "-q", "-e", "stderr", "-c", config), config)

    @property
    def config(self) -> Path:
        return self.directory / "front/nginx.conf"

    @property
    def hook(self) -> tuple[str, ...]:
        return (str(PROGRAM), "-e", "stderr", "-c", str(self.config), "-s", "reload")

    def apply(self, **options: object) -> ApplyResult:
        emitter = Emitter(
            name="front",
            summary="nginx of a test",
            folders=("front",),
            emit=self.emit,
            validate=self.validate,
            generation=self.generation,
            wants_proxy_line=lambda plan: bool(self.line),
        )
        values = {
            "emitters": (emitter,),
            "directory": self.directory,
            "load": lambda: make_plan(directory=self.directory),
            "reload": self.hook,
            "verify": f"http://127.0.0.1:{self.port}/-/generation",
        }
        return apply(ApplyRequest(**{**values, **options}))  # type: ignore[arg-type]

    def serves(self) -> str:
        answer = raw(self.port, "GET / HTTP/1.1", "Host: example.org")
        assert status_of(answer) == 200
        return answer.rpartition("\r\n")[2]


def comes(front: Front, text: str) -> bool:
    """Wait for ``text``: nginx's old workers take connections for some moments beside the new ones."""
    wait_for(lambda: front.serves() == text, text, seconds=10)
    return True


def shows(front: Front, generation: str) -> bool:
    """Wait for ``generation`` as ``comes`` waits for a text."""
    request = ("GET /-/generation HTTP/1.1", "Host: example.org")
    wait_for(lambda: generation in raw(front.port, *request), generation, seconds=10)
    return True


@contextlib.contextmanager
def running(front: Front) -> Iterator[Front]:
    """Apply a first configuration, and serve it."""
    front.apply(reload=(), verify="")
    with running_nginx(front.config, front.folder / "log", front.port):
        yield front


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with running(Front(tmp_path, tmp_path / "etc")) as started:
        yield started


def test_a_new_configuration_is_served(front: Front) -> None:
    """After an apply nginx answers with the new text, and shows the new generation."""
    front.text = "two"
    result = front.apply()
    assert (comes(front, "two"), result.verified) == (True, True)
    assert shows(front, result.generation)


def test_a_listener_of_the_proxy_protocol_is_verified(tmp_path: Path) -> None:
    """nginx takes a line that says nothing of the client for one of the connection itself, which is this machine's."""
    front = Front(tmp_path, tmp_path / "etc")
    front.line = " proxy_protocol"
    front.more = "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"
    with running(front):
        assert raw(front.port, "GET / HTTP/1.1", "Host: example.org") == ""
        front.text = "two"
        result = front.apply()
        assert result.verified
        request = ("PROXY UNKNOWN", "GET /-/generation HTTP/1.1", "Host: example.org")
        # As above: an old worker may take a connection after a new one has answered.
        wait_for(lambda: result.generation in raw(front.port, *request), result.generation, seconds=10)


@pytest.mark.parametrize(
    ("more", "words"),
    [("include /no/such/snippet.conf;", "/no/such/snippet.conf"), ("nonsense;", 'unknown directive "nonsense"')],
)
def test_what_nginx_does_not_accept_is_not_used(front: Front, more: str, words: str) -> None:
    """A broken snippet is refused in nginx's own words, under the path that the file would have."""
    before = front.config.read_bytes()
    front.text, front.more = "two", more
    with pytest.raises(ApplyError) as caught:
        front.apply()
    assert words in str(caught.value)
    assert f"{front.config}:" in str(caught.value)
    assert (front.serves(), front.config.read_bytes()) == ("one", before)


def test_a_port_in_use_is_rolled_back(front: Front) -> None:
    """``nginx -t`` accepts a port that somebody has, and the hook exits 0: only the generation tells."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        front.text = "two"
        front.more = f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}"
        with pytest.raises(ApplyError, match=r"did not answer with the generation .*back and reloaded"):
            front.apply(verify_timeout=2)
        assert (front.serves(), "one" in front.config.read_text()) == ("one", True)
    front.apply()
    assert comes(front, "two")


@pytest.mark.parametrize("hook", [("false",), ("sleep", "600")])
def test_a_hook_that_fails_or_hangs_is_rolled_back(front: Front, hook: tuple[str, ...]) -> None:
    """The old files are back, and nginx has never seen the new ones."""
    front.text = "two"
    with pytest.raises(ApplyError, match="The reload hook"):
        front.apply(reload=hook, reload_timeout=0.3)
    assert (front.serves(), "one" in front.config.read_text()) == ("one", True)


def test_a_missing_nginx_is_named(front: Front) -> None:
    """Without the parser nothing is tried."""
    front.text, front.program = "two", "/no/such/nginx"
    with pytest.raises(EmitError, match=r"The program /no/such/nginx is not installed.*package nginx"):
        front.apply()
    assert front.serves() == "one"


def test_two_runs_at_once_are_one_after_the_other(front: Front) -> None:
    """Both end well, and the last configuration is served."""
    front.text = "two"
    with ThreadPoolExecutor(2) as pool:
        results = [run.result() for run in [pool.submit(front.apply), pool.submit(front.apply)]]
    assert comes(front, "two")
    assert sum(bool(result.changed) and not result.together for result in results) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Callable[[], None]:
    block = shutil.disk_usage(folder).free
    (folder / "full").write_bytes(b"x" * block)
    return (folder / "full").unlink


def close(folder: Path) -> Callable[[], None]:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True) and None


@pytest.mark.parametrize(
    ("fault", "words"), [(fill, "No space left on device"), (close, "Read-only file system")], ids=["full", "read-only"]
)
def test_a_disk_that_takes_nothing_changes_nothing(
    tmp_path: Path, small_disk: Path, fault: Callable[[Path], Callable[[], None]], words: str
) -> None:
    """On a full or read-only disk the old configuration is served, the error says so, and later it works."""
    with running(Front(tmp_path, small_disk / "etc")) as front:
        mend = fault(small_disk)
        front.text = "two" * 2000
        with pytest.raises(EmitError, match=words):
            front.apply()
        assert (front.serves(), 'return 200 "one"' in front.config.read_text()) == ("one", True)
        mend()
        front.text = "three"
        front.apply()
        assert comes(front, "three")
