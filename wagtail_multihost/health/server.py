"""Facts about the application server that a process runs in."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

logger = logging.getLogger("wagtail_multihost.health")


def uwsgi_module() -> Any:
    """Return the module that exists only in uWSGI's processes; None elsewhere."""
    try:
        module = import_module("uwsgi")
    except ImportError:
        return None
    return module if hasattr(module, "opt") else None


def is_uwsgi_without_threads() -> bool:
    """
    Return whether threads run only while a request is answered: uWSGI has neither ``enable-threads`` nor more than one
    thread (https://uwsgi-docs.readthedocs.io/en/latest/WSGIquickstart.html#a-note-on-python-threads).
    """
    module = uwsgi_module()
    if module is None:
        return False
    stated = {option_text(name): option_text(value) for name, value in module.opt.items()}
    threads = stated.get("threads", "1")
    return "enable-threads" not in stated and not (threads.isdecimal() and int(threads) > 1)


def is_before_fork_of_uwsgi() -> bool:
    """Return whether this is uWSGI's first process, which forks workers without Python noticing."""
    module = uwsgi_module()
    return module is not None and module.worker_id() == 0


def log_missing_threads() -> None:
    if is_uwsgi_without_threads():
        logger.error(
            "uWSGI has neither enable-threads nor threads: probes run only during requests for health, which wait for "
            "them. Set enable-threads = true."
        )


def option_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
