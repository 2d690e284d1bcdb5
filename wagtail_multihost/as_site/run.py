"""Run a command of the project as a site."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import wagtail_multihost
from wagtail_multihost.as_site.account import account_to_become
from wagtail_multihost.as_site.program import working_folder
from wagtail_multihost.as_site.snapshot import private_folder, write_snapshot
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.launch.account import Account
from wagtail_multihost.launch.environment import site_environ
from wagtail_multihost.launch.execution import execute
from wagtail_multihost.launch.guard import Ended
from wagtail_multihost.launch.plan import Launch
from wagtail_multihost.launch.terminal import has_terminal, is_in_foreground
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE, Registry
from wagtail_multihost.registry.snapshot import PUBLIC_KEY_VARIABLE, SnapshotRegistry
from wagtail_multihost.spec.site import SiteSpec

#: Commands that read standard input. Any other must leave it to a shell loop that calls it.
READERS = frozenset({"changepassword", "createsuperuser", "dbshell", "loaddata", "multihost_adopt", "shell"})


#: Raises MultihostError for a program that must not run as an account.
Refuse = Callable[[Sequence[str], Account | None], None]


def refuse_nothing(program: Sequence[str], account: Account | None) -> None:
    """Accept any program: the caller is already running this manage.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """
    What the caller asks for: the ``settings`` module and the ``registry`` as given, how many ``seconds`` the command
    may take, whether it ``takes_input`` and its output is passed on ``raw``, and further ``variables`` to pass on.
    """

    settings: str = ""
    registry: str | None = None
    seconds: float | None = None
    takes_input: bool = False
    raw: bool = False
    variables: tuple[str, ...] = ()

    @property
    def own(self) -> dict[str, str]:
        """The variables that the request sets."""
        return {"DJANGO_SETTINGS_MODULE": self.settings} if self.settings else {}


def run_as_site(
    site: str,
    registry: Registry,
    program: Sequence[str],
    words: Sequence[str],
    request: RunRequest,
    refuse: Refuse = refuse_nothing,
) -> Ended:
    """
    Run ``program`` (Python and the project's manage.py) with ``words`` as ``site``; return how it ended. Where the
    account need not change, the program replaces this process. Raises MultihostError, also where ``refuse`` does.
    """
    platform, spec = registry.site(site, reads_secrets=False)
    account = account_to_become(platform, spec)
    refuse(program, account)
    if account is None:
        replace_process(spec, program, words, request)
    with ExitStack() as stack:
        own = {**dict(spec.env), SITE_VARIABLE: site, **request.own}
        folder = None
        if isinstance(registry, SnapshotRegistry):  # the site's processes can use it directly
            own |= snapshot_variables(registry, os.environ)
        else:
            folder = stack.enter_context(private_folder())
            platform, spec = registry.site(site)
            write_snapshot(folder, registry, platform, spec, account)
            own[REGISTRY_VARIABLE] = f"{folder}/"
        return execute(make_launch(account, program, words, own, request, folder))


def snapshot_variables(registry: SnapshotRegistry, environ: Mapping[str, str]) -> dict[str, str]:
    key = {name: environ[name] for name in (PUBLIC_KEY_VARIABLE,) if name in environ}
    return {REGISTRY_VARIABLE: f"{registry.url}/", **key}


def make_launch(
    account: Account,
    program: Sequence[str],
    words: Sequence[str],
    own: Mapping[str, str],
    request: RunRequest,
    private: Path | None,
) -> Launch:
    """Return how the program is launched; if the caller is at a terminal, with a terminal of its own."""
    is_terminal = has_terminal()
    takes_input = is_terminal or request.takes_input or words[0] in READERS
    if not is_terminal and os.isatty(0):
        takes_input = takes_input and is_in_foreground(0)
    script = [Path(word) for word in program[1:] if word.endswith(".py")]
    return Launch(
        account=account,
        environ=site_environ(os.environ, account, own, named=request.variables, has_terminal=is_terminal),
        words=(*program, *words),
        folders=(working_folder(), *(path.parent for path in script)),
        reads=(*script, Path(str(wagtail_multihost.__file__))),
        takes_input=takes_input,
        has_terminal=is_terminal,
        raw=request.raw,
        seconds=request.seconds,
        private=private.parent if private else None,
    )


def replace_process(site: SiteSpec, program: Sequence[str], words: Sequence[str], request: RunRequest) -> NoReturn:
    """
    Replace this process with the program, under the same account, so that signals, the terminal, the variables and
    the exit code are the program's. The site's own variables take the place of those of this process.
    """
    environ = {**os.environ, **dict(site.env), SITE_VARIABLE: site.id, **request.own}
    if request.registry is not None:
        environ[REGISTRY_VARIABLE] = request.registry
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        # The command line is the operator's, as in any other call of manage.py.
        os.execve(program[0], [*program, *words], environ)  # noqa: S606
    except OSError as error:
        message = f"{program[0]} cannot be run: {error.strerror}."
        raise ConfigurationError.because(message) from None
