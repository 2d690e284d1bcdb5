"""
The settings that a project runs with today. Their module is imported in a process of its own: what it does there is
done once more, and to nobody.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from traceback import extract_tb

from django.core.management.base import CommandError

from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.registry import SITE_VARIABLE
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line

SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"
CONFIGURATION = "DJANGO_CONFIGURATION"
OPTION = "--against"
SECONDS = 60
ACCEPTED = (
    "accepted: the dotted name of the module that the project runs with today, such as mysite.settings.production"
)
RESOLVES = (
    "calls resolve() already, so it does not say what the project runs with today. Name the module from before that, "
    "such as a copy of the old one."
)


def read_present_settings(module: str) -> dict[str, object]:
    """Return the settings of ``module`` in the types of JSON, secrets in the clear; raises CommandError."""
    if not all(map(str.isidentifier, module.split("."))):
        raise refusal(module, f"has a name that cannot be imported; {ACCEPTED}.")
    environ = {name: value for name, value in os.environ.items() if name != SITE_VARIABLE}
    environ |= {SETTINGS_VARIABLE: module, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", __name__]
    try:
        ended = subprocess.run(  # noqa: S603  # the project's own module
            command, env=environ, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise refusal(module, f"was not imported within {SECONDS} seconds.") from None
    try:
        settings, problem = json.loads(ended.stdout)
    except ValueError:
        settings, problem = {}, f"ended its process with the code {ended.returncode}; {ACCEPTED}."
    if problem:
        raise refusal(module, problem)
    return dict(settings)


def refusal(module: str, problem: str) -> CommandError:
    return CommandError(f"{OPTION}: The module {shown(module)} {problem}", returncode=COULD_NOT)


def main() -> None:
    """Print the settings of the module that the environment names, or what is wrong with it, as JSON."""
    module = os.environ[SETTINGS_VARIABLE]
    # What the module prints is not the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings, problem = settings_or_problem(module)
    with answer:
        json.dump([settings, problem], answer)


def settings_or_problem(module: str) -> tuple[dict[str, object], str]:
    try:
        if CONFIGURATION in os.environ:
            # django-configurations, whose project this is
            importlib.import_module("configurations.importer").install()
        loaded = importlib.import_module(module)
    except MultihostError:
        return {}, RESOLVES
    except (Exception, SystemExit) as error:
        return {}, describe_import_failure(module, error)
    if calls_resolver():
        return {}, RESOLVES
    from wagtail_multihost.resolver.plain import plain_settings  # after the module, which may load the resolver

    settings = plain_settings(vars(loaded))
    return settings, "" if settings else f"has no settings; {ACCEPTED}."


def calls_resolver() -> bool:
    resolver = sys.modules.get("wagtail_multihost.resolver")
    return resolver is not None and bool(resolver.has_resolved())


def describe_import_failure(module: str, error: BaseException) -> str:
    """Return why a module cannot be imported. Only messages that name things are shown: others may quote a secret."""
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"is not there; {ACCEPTED}."
    from wagtail_multihost.resolver.masking import mask_text  # as above

    is_variable = isinstance(error, KeyError) or type(error).__name__ == "ImproperlyConfigured"
    said = f": {mask_text(one_line(error))}" if is_variable or isinstance(error, ImportError) else ""
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if "site-packages" not in frame.filename and frame.filename != __file__]
    place = f" at {own[-1].filename}:{own[-1].lineno}" if own else ""
    hint = " Give it the variables that the live project has." if is_variable else ""
    return f"cannot be imported: {type(error).__name__}{said}{place}.{hint}"


if __name__ == "__main__":
    main()
