"""One run: prepare, serve, say what there is, follow the control site, and stop everything."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.announcing import announce, announce_control
from runner.arguments import Options, parse_options, refuse_used_port
from runner.children import Child, Failure, end_all, last_line, start
from runner.folders import CLUSTER, HERE, LOGS, only_run, remove_leftovers, runtime_folder, sentence_of
from runner.postgres import end_leftover
from runner.preparing import environment, prepare
from runner.progress import Progress
from runner.registry import Place, Site, read_document, write_registry
from runner.router import wait_until_served, write_router
from runner.served import marks_of_running, publish_sites


def run() -> int:
    options = parse_options()
    progress = Progress()
    os.umask(0o077)
    try:
        with only_run():
            if left := [*end_leftover(CLUSTER), *remove_leftovers()]:
                progress.begin(f"Removed what a killed run had left: {' and '.join(left)}")
            refuse_used_port(options.port)
            with runtime_folder() as runtime:
                place = Place(options.port, runtime)
                try:
                    document = read_document(with_control=options.with_control)
                    sites = write_registry(document, place, with_control=options.with_control)
                    prepare(sites, place, progress)
                    if options.with_control:
                        publish_sites(place)
                    return serve(sites, options, place, progress)
                finally:
                    progress.end()
                    end_all()
    except Failure as failure:
        sys.exit(str(failure))
    except OSError as error:
        sys.exit(sentence_of(error))


def serve(sites: Sequence[Site], options: Options, place: Place, progress: Progress) -> int:
    progress.begin("Starting the sites")
    emperor = start_emperor(place)
    wait_until_served([site.host for site in sites], place.port, emperor, progress)
    progress.end()
    announce(sites, options)
    if options.with_control:
        keep_control(emperor, place, progress)
    emperor.process.wait()
    print(f"uWSGI ended by itself; {emperor.log} says why.", file=sys.stderr)
    return 1


def start_emperor(place: Place) -> Child:
    uwsgi = Path(sys.executable).with_name("uwsgi")
    emperor = place.etc / "uwsgi-emperor" / "emperor.ini"
    command = [str(uwsgi), "--ini", str(emperor), *write_router(place)]
    return start(command, LOGS / "uwsgi.log", environment(), HERE)


def keep_control(emperor: Child, place: Place, progress: Progress) -> None:
    """Serve the control site, and let the sites follow it until something ends. Without it, they go on."""
    import psycopg  # only with a control site

    from runner.control import control_site
    from runner.following import Follower

    served = marks_of_running(place)
    try:
        with control_site(place, progress) as control:
            progress.end()
            announce_control(place)
            everything = (emperor, *control.children)
            Follower(place, emperor, served, progress).follow(
                control, lambda: all(child.process.poll() is None for child in everything)
            )
            refuse_ended(control.children)
    except (Failure, OSError, psycopg.Error) as error:
        progress.end()
        sentence = sentence_of(error) if isinstance(error, OSError) else last_line(str(error))
        print(f"There is no control site, and the sites go on without it. {sentence}", file=sys.stderr, flush=True)


def refuse_ended(children: Sequence[Child]) -> None:
    for child in children:
        if child.process.poll() is not None:
            raise Failure(f"A program of it ended by itself; {child.log} says why.")
