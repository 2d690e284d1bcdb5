"""Loading an application while its process already answers probes."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any, Generic, TypeVar

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.endpoint import FORMATS, LIVE, METHODS, Answer, Endpoint
from wagtail_multihost.health.server import is_before_fork_of_uwsgi, is_uwsgi_without_threads

A = TypeVar("A")
STARTING = Answer(503, b"starting")
LOAD_FAILED = Answer(503, b"failed")
NAMES = frozenset({"live", "startup", "ready", "drain", *FORMATS})

logger = logging.getLogger("wagtail_multihost.health")


class Loading(Generic[A]):
    """
    The application that ``load`` (a function, or its dotted path) returns, loaded in a thread that starts at once.

    A process that forks, such as the master of ``gunicorn --preload``, waits for it first, so that its children have
    a complete application. It is loaded immediately, and its exceptions are raised, without ``background``, in uWSGI's
    first process, whose forks Python does not notice, and in uWSGI without threads.
    """

    def __init__(self, load: Callable[[], A] | str, prefix: str, background: bool = True) -> None:
        self.load = load
        self.prefix = prefix
        self.error: BaseException | None = None
        self._application: A | None = None
        self._own_endpoint: Callable[[], Endpoint] | None = None
        self._done = threading.Event()
        self._pid = os.getpid()
        if not background or is_before_fork_of_uwsgi() or is_uwsgi_without_threads():
            self._application = self._load()
            self._done.set()
        else:
            _loadings.add(self)
            threading.Thread(target=self._run, name="multihost-loading", daemon=True).start()

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for: it is loaded, or has failed."""
        if not self._done.is_set() and self._pid != os.getpid():
            self.fail(RuntimeError("The process forked while the application was being loaded. Set background=False."))
        return self._done.is_set()

    def application(self) -> A:
        """Return the application; wait until it is loaded. Raises RuntimeError if that has failed."""
        if not self.is_done:
            self._done.wait()
        if self.error is not None or self._application is None:
            raise RuntimeError("The application could not be loaded; the log has the reason.") from self.error
        return self._application

    def endpoint(self) -> Endpoint | None:
        """Return the endpoint of the process; None if the application is not loaded yet, or has failed."""
        return self._own_endpoint() if self.is_done and self._own_endpoint and self.error is None else None

    def answer(self, request: HealthRequest) -> Answer | None:
        """Return the answer to ``request`` while there is no endpoint; None if its path is not the endpoint's."""
        name = request.path.removeprefix(self.prefix).removesuffix("/")
        if name not in NAMES and not name.startswith("site/"):
            return None
        if request.method not in METHODS:
            return Answer(405, b"", headers=(("Allow", ", ".join(METHODS)),))
        if self.error is not None:
            return LOAD_FAILED
        return LIVE if name == "live" else STARTING

    def fail(self, error: BaseException) -> None:
        """Answer ``failed`` from now on."""
        self.error = error
        self._done.set()  # first: a logging lock that another thread held at a fork stays locked
        log_load_failure(error)

    def finish(self) -> None:
        """Wait in the main thread until it is loaded or has failed; the loading itself may wait for another thread."""
        if self._pid == os.getpid() and threading.current_thread() is threading.main_thread():
            self._done.wait()

    def _run(self) -> None:
        try:
            self._application = self._load()
        except BaseException as error:  # SystemExit too: whoever waits must notice
            self.error = error
            log_load_failure(error)  # before whoever waits continues, and may end the process
        finally:
            self._done.set()

    def _load(self) -> A:
        application = import_loader(self.load)() if isinstance(self.load, str) else self.load()
        if not callable(application):
            raise TypeError(f"The loader returned {type(application).__name__}, which is not callable.")
        from wagtail_multihost.health.process import own_endpoint, refuse_to_serve  # needs the settings

        refuse_to_serve()
        self._own_endpoint = own_endpoint
        prefix = own_endpoint().prefix
        if prefix != self.prefix:
            message = f"It is {prefix!r}, but HealthApplication was made with {self.prefix!r}. Both must be the same."
            raise ConfigurationError.because(message, where="MULTIHOST_HEALTH['PREFIX']")
        return application


def log_load_failure(error: BaseException) -> None:
    if isinstance(error, MultihostError):  # a complete message, which a traceback does not improve
        logger.critical("The application cannot be loaded: %s", error)
    else:
        logger.critical("The application cannot be loaded.", exc_info=error)


def import_loader(path: str) -> Callable[[], A]:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


_loadings: weakref.WeakSet[Loading[Any]] = weakref.WeakSet()


def finish_loadings() -> None:
    for loading in list(_loadings):
        loading.finish()


# A child has no thread to finish the loading, and locks that nobody releases.
os.register_at_fork(before=finish_loadings)
