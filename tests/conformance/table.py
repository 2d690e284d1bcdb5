"""The table of behaviours and carriers, as a page of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.conformance import answers, files, forwarded, limits, paths, protocol
from tests.conformance.behaviours import CARRIERS, Behaviour

#: What the behaviours are about, with the headings of the page.
SUBJECTS = {
    "Forwarded headers": forwarded.BEHAVIOURS,
    "Hosts and paths": paths.BEHAVIOURS,
    "Requests and connections": protocol.BEHAVIOURS,
    "Static files and uploads": files.BEHAVIOURS,
    "Answers of the application": answers.BEHAVIOURS,
    "Limits": limits.BEHAVIOURS,
}
HEAD = " ".join(
    [
        "What a client gets, whoever carries a site: nginx with uWSGI or gunicorn behind it, the same on a node behind",
        "a front server, and uWSGI alone (`platform.uwsgi.http`, as `./example_project/run` has it).\n"
        "Each line is tried with the emitted files and the real servers. What a carrier does otherwise has a number,",
        "and the reason below the table.\n\n"
        f"The limits stand for these: a body of at most {limits.BODY:,} bytes (`body_size`), and {limits.SECONDS}",
        "seconds for a request (`harakiri`, `timeout`).",
    ]
)


def render_page() -> str:
    return "\n".join(["# Carriers", "", HEAD, "", *(render_subject(title, rows) for title, rows in SUBJECTS.items())])


def render_subject(title: str, behaviours: Iterable[Behaviour]) -> str:
    reasons: list[str] = []
    lines = [list(cells(behaviour, reasons)) for behaviour in behaviours]
    head = ["What is sent", *CARRIERS.values()]
    table = [row(line) for line in (head, ["---"] * len(head), *lines)]
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([f"## {title}", "", *table, "", *notes, *([""] if notes else [])])


def cells(behaviour: Behaviour, reasons: list[str]) -> Iterator[str]:
    """Yield a line's cells; ``reasons`` are those of the table so far."""
    yield behaviour.name
    for carrier in CARRIERS:
        text = ", then ".join(str(wanted) for wanted in behaviour.wanted_of(carrier))
        if difference := behaviour.differs.get(carrier):
            if difference.reason not in reasons:
                reasons.append(difference.reason)
            text = f"**{text}** ({reasons.index(difference.reason) + 1})"
        yield text


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
