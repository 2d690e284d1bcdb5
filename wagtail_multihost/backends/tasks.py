"""
Task backends whose tasks carry a stamp of their site.

Tasks name rows and files by keys that every site has, so a worker that takes another site's task off a shared queue
would work on the wrong data. The stamp travels in the task's keyword arguments; the task's function, wherever and
however a backend calls it, takes it out again and compares.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.utils.module_loading import import_string

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.resolver.tasks import WRAPPED
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import shown

STAMP = "_multihost_site"
GUARDED = "_multihost_guarded"


def site_task_backend(alias: str, params: dict[str, Any]) -> Any:
    """Return the backend that TASKS of the project names, with stamps. Django calls this as it would call a class."""
    options = dict(params)
    return stamping_class(import_string(options.pop(WRAPPED)))(alias=alias, params=options)


@functools.cache
def stamping_class(backend: type[Any]) -> type[Any]:
    """Return a subclass of ``backend``: workers of some ask for an instance of their own class."""
    task_class = backend.task_class

    def guarded_task(**fields: Any) -> Any:
        return task_class(**{**fields, "func": guard_function(fields["func"])})

    def enqueue(self: Any, task: Any, args: Any, kwargs: Any) -> Any:
        return super(stamped, self).enqueue(task=task, args=args, kwargs=stamp_arguments(task, kwargs))

    async def aenqueue(self: Any, task: Any, args: Any, kwargs: Any) -> Any:
        arguments = stamp_arguments(task, kwargs)
        return await super(stamped, self).aenqueue(task=task, args=args, kwargs=arguments)

    body = {
        "__module__": backend.__module__,
        "__qualname__": backend.__qualname__,
        "__doc__": backend.__doc__,
        # What @task makes a task with.
        "task_class": staticmethod(guarded_task),
        "enqueue": enqueue,
        "aenqueue": aenqueue,
    }
    metaclass: Any = type(backend)
    stamped: type[Any] = metaclass(backend.__name__, (backend,), body)
    return stamped


def stamp_arguments(task: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments to queue, with a stamp if the task can take it out again."""
    site = own_site()
    if site is None or not hasattr(task.func, GUARDED):
        return kwargs
    return {**kwargs, STAMP: {"site": site.id, "uid": str(site.uid)}}


def guard_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with the same name and signature, which refuses to run with the stamp of another site."""
    if hasattr(function, GUARDED):
        return function

    @functools.wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        refuse_foreign_task(function.__name__, kwargs.pop(STAMP, None))
        return await function(*args, **kwargs)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        refuse_foreign_task(function.__name__, kwargs.pop(STAMP, None))
        return function(*args, **kwargs)

    wrapper = run_async if iscoroutinefunction(function) else run
    setattr(wrapper, GUARDED, True)
    return wrapper


def refuse_foreign_task(task: str, stamp: Any) -> None:
    """Raise IdentityError for the stamp of another site. Code that calls a task's function itself passes none."""
    if stamp is None:
        return
    named = stamp if isinstance(stamp, dict) else {}
    own = own_site()
    if own is None or named.get("uid") != str(own.uid):
        theirs = f"the site {shown(str(named.get('site', '')))} (uid {shown(str(named.get('uid', '')))})"
        found = f"the site {own.id} (uid {own.uid})" if own else "no site"
        raise IdentityError(
            f"The task {task} belongs to {theirs}, but this worker serves {found}. Give each site its own queue."
        )
