"""
The command ``multihost-as``: the quick form of ``manage.py multihost_as``.

It loads neither settings nor Django, and starts manage.py in the working folder, or else ``python -m django``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from wagtail_multihost.as_site.options import EXIT_CODES, REGISTRY_HELP, add_launch_options, run_request
from wagtail_multihost.as_site.program import manage_words, refuse_foreign_program, refuse_foreign_registry
from wagtail_multihost.as_site.run import run_as_site
from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.registry import DEFAULT_FILE, REGISTRY_VARIABLE, open_registry
from wagtail_multihost.spec.printing import escape_unprintable

DESCRIPTION = "Run a management command as a site: multihost-as SITE COMMAND [ARGUMENT...]."
EXAMPLES = ("multihost-as aurora migrate", "multihost-as --timeout 60 aurora clearsessions")


def run() -> int:
    """Run the command that this process's arguments name; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="multihost-as",
        description=DESCRIPTION,
        epilog=format_epilog(EXIT_CODES, EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--registry", metavar="URL", help=REGISTRY_HELP)
    parser.add_argument(
        "--settings", metavar="MODULE", default="", help="the settings module (default: that of manage.py)"
    )
    add_launch_options(parser)
    options = parser.parse_args()
    if not options.command:
        parser.error("no command is given")
    try:
        registry = open_registry(options.registry, os.environ)
        if options.registry is None and REGISTRY_VARIABLE not in os.environ:
            refuse_foreign_registry(Path(DEFAULT_FILE))
        request = run_request(options, options.settings)
        ended = run_as_site(options.site, registry, manage_words(), options.command, request, refuse_foreign_program)
    except MultihostError as error:
        return print_sentence(str(error), COULD_NOT)
    return print_sentence(ended.sentence, ended.code)


def print_sentence(sentence: str, code: int) -> int:
    if sentence and sys.stderr is not None:
        print(escape_unprintable(sentence), file=sys.stderr)
    return code
