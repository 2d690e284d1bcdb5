"""What projects have that leaks: each is given to two sites by a settings module of the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from django.core.cache.backends.filebased import FileBasedCache
from django.utils.module_loading import import_string
from django_tasks.backends.immediate import ImmediateBackend
from django_tasks.exceptions import TaskResultDoesNotExist
from wagtail.search.backends.base import BaseSearchBackend

from wagtail_multihost.testing.canaries.base import Canary, Crossing

_of_thread = threading.local()
_of_thread.has_prefix = True


class ThreadLocalPrefixCache(FileBasedCache):
    """A cache whose prefix is known in the thread that has loaded the settings, and in no other."""

    def make_key(self, key: str, version: int | None = None) -> str:
        made = super().make_key(key, version)
        return made if getattr(_of_thread, "has_prefix", False) else made.removeprefix(self.key_prefix)

    def clear(self) -> None: ...


class AsyncWithoutPrefixCache(FileBasedCache):
    """A cache whose coroutines forget the prefix."""

    async def aset(self, key: str, value: object, *arguments: Any, **options: Any) -> None:
        FileBasedCache(self._dir, {}).set(key, value)

    async def aget(self, key: str, *arguments: Any, **options: Any) -> object:
        return FileBasedCache(self._dir, {}).get(key)

    def clear(self) -> None: ...


class PathPageCache:
    """
    A page cache in the folder PAGES, or SHARED, whose keys have only the path, which is the same at every site. It
    keeps every answer, also one that says that it must not be kept.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        from django.conf import settings
        from django.http import HttpResponse

        kept = Path(getattr(settings, "PAGES", settings.SHARED), quote(request.path, safe=""))
        kept.parent.mkdir(exist_ok=True)
        if kept.exists():
            return HttpResponse(kept.read_bytes())
        response = self.get_response(request)
        kept.write_bytes(response.content)
        return response


class Titles(list[str]):
    """The results of a search."""

    def count(self, *arguments: object) -> int:
        return len(self)


class FileSearchBackend(BaseSearchBackend):
    """A search server: LOCATION is its folder, each index a file whose name starts with INDEX_PREFIX."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.path = Path(params["LOCATION"], f"{params.get('INDEX_PREFIX', '')}pages.txt")

    def add(self, obj: Any) -> None:
        with self.path.open("a") as index:
            index.write(f"{obj}\n")

    def add_bulk(self, model: object, obj_list: list[Any]) -> None:
        for obj in obj_list:
            self.add(obj)

    def delete(self, obj: Any) -> None: ...

    def refresh_indexes(self) -> None: ...

    def search(self, query: Any, *arguments: object, **options: object) -> Titles:
        titles = self.path.read_text().splitlines() if self.path.exists() else []
        return Titles(title for title in titles if query in title)


class FileQueue(ImmediateBackend):
    """A queue of tasks in the folder LOCATION."""

    supports_get_result = True

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        result = super().enqueue(task, args, kwargs)
        text = json.dumps({"task": task.module_path, "args": args, "kwargs": kwargs})
        Path(self.options["LOCATION"], result.id).write_text(text)
        return result

    def get_result(self, result_id: str) -> Any:
        path = Path(self.options["LOCATION"], result_id)
        if not path.exists():
            raise TaskResultDoesNotExist(result_id)
        kept = json.loads(path.read_text())
        return SimpleNamespace(**{**kept, "task": import_string(kept["task"])})


class OwnCanary(Canary):
    """A canary that a project brings, for a folder of its own."""

    name = "handover"

    def plant(self, token: str) -> str:
        (self.folder() / token).touch()
        return token

    def crossed(self, token: str, planted: str) -> Iterator[Crossing]:
        if (self.folder() / planted).exists():
            yield Crossing("HANDOVER", "The file is there.")

    def folder(self) -> Path:
        from django.conf import settings

        return Path(settings.HANDOVER)


class SilentCanary(OwnCanary):
    """A canary that does not apply."""

    def applies(self) -> bool:
        return False


class FailingCanary(OwnCanary):
    """A canary that cannot be planted."""

    name = "failing"

    def plant(self, token: str) -> str:
        raise ValueError("No perch.")
