"""
Every carrier does as the table says, for everything that browsers and proxies do, and for what only attackers do.

docs/reference/carriers.md is that table, and test_table.py prints it.
"""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conformance import application, files, limits
from tests.conformance.behaviours import CARRIERS, PROXY, Behaviour
from tests.conformance.exchange import Answer, BrokenAnswer, exchange
from tests.conformance.table import SUBJECTS
from tests.servers.chain import EMBEDDED, Chain, opened_chain

pytestmark = pytest.mark.servers

SCHEME = ("HTTP_X_FORWARDED_PROTO", "https")
NEVER = 502


@pytest.mark.parametrize("kind", [*CARRIERS, f"{EMBEDDED}-debian"])
def test_carrier_does_as_the_table_says(kind: str) -> None:
    """One start of the servers, and every behaviour in turn: status, headers, body and what the application heard."""
    # Debian's uWSGI, which is older, has no column: it does the same.
    carrier = kind.removesuffix("-debian")
    with tempfile.TemporaryDirectory(prefix="mh-") as name, opened(Path(name), kind) as chain:
        files.write_files(chain.static, files.STATIC)
        files.write_files(chain.media, files.UPLOADS)
        complaints = [
            f"{title}: {behaviour.name}: {'; '.join(found)}"
            for title, behaviours in SUBJECTS.items()
            for behaviour in behaviours
            if (found := tried(chain, carrier, behaviour))
        ]
        log = (chain.folder / "runner.log").read_text(errors="replace")[-2000:]
    assert not complaints, "\n".join([*complaints, log])


def opened(folder: Path, carrier: str) -> AbstractContextManager[Chain]:
    return opened_chain(
        folder,
        carrier,
        nginx={"proxies": (PROXY,), "body_size": str(limits.BODY)},
        seconds=limits.SECONDS,
        application=Path(application.__file__).read_text(),
        secure_proxy_ssl_header=SCHEME,
    )


def tried(chain: Chain, carrier: str, behaviour: Behaviour) -> list[str]:
    """Return what is not as the table says."""
    try:
        answers = exchange(chain.port, behaviour.sends, behaviour.source)
    except (BrokenAnswer, TimeoutError) as error:
        return [repr(error)]
    return [*behaviour.complaints(carrier, answers), *(["a 502"] if is_among(answers, NEVER) else [])]


def is_among(answers: list[Answer], status: int) -> bool:
    return any(answer.status == status for answer in answers)
