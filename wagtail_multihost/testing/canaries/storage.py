"""Files in every storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from wagtail_multihost.testing.canaries.base import Canary, Crossing

FOLDER = "multihost-canary"
#: All sites on one version of the code share these.
SHARED = "staticfiles"
MEDIA_ROOT = "MEDIA_ROOT"


class StorageCanary(Canary):
    """
    A file in every alias of STORAGES except staticfiles, and in MEDIA_ROOT. The other site looks for its name, lists
    its folder, saves a file of the same name, and deletes that.
    """

    name = "storage"
    setting = 'STORAGES["default"]'

    def plant(self, token: str) -> dict[str, str]:
        return {
            alias: storage.save(f"{FOLDER}/{token}.txt", ContentFile(token.encode()))
            for alias, storage in all_storages().items()
        }

    def crossed(self, token: str, planted: dict[str, str]) -> Iterator[Crossing]:
        for alias, storage in all_storages().items():
            setting = storage_setting(alias, storage)
            # This alias may lead to another alias of the first site.
            for name in dict.fromkeys(planted.values()):
                if has_content(storage, name, token):
                    yield Crossing(setting, f"The file {name} can be read.")
                elif name.rpartition("/")[2] in list_files(storage, name.rpartition("/")[0]):
                    yield Crossing(setting, f"The file {name} is listed.")

    def disturb(self, token: str, planted: dict[str, str]) -> None:
        for storage in all_storages().values():
            for name in dict.fromkeys(planted.values()):
                if not storage.exists(name):
                    storage.save(name, ContentFile(b"of the other site"))
                storage.delete(name)

    def lost(self, token: str, planted: dict[str, str]) -> Iterator[Crossing]:
        found = all_storages()
        for alias, name in planted.items():
            if not has_content(found[alias], name, token):
                setting = storage_setting(alias, found[alias])
                yield Crossing(setting, f"The other site has deleted or replaced the file {name}.")

    def remove(self, token: str, planted: dict[str, str]) -> None:
        found = all_storages()
        for alias, name in planted.items():
            found[alias].delete(name)


def all_storages() -> dict[str, Storage]:
    """Return the storages by alias, and MEDIA_ROOT, to which some code writes without using STORAGES."""
    found = {alias: storages[alias] for alias in storages.backends if alias != SHARED}
    own = {storage.location for storage in found.values() if isinstance(storage, FileSystemStorage)}
    media = FileSystemStorage(location=settings.MEDIA_ROOT) if settings.MEDIA_ROOT else None
    if media is not None and media.location not in own:
        found[MEDIA_ROOT] = media
    return found


def storage_setting(alias: str, storage: Storage) -> str:
    if alias == MEDIA_ROOT:
        return MEDIA_ROOT
    backends: Any = storages.backends
    stated = (backends[alias].get("OPTIONS") or {}).get("location")
    if isinstance(storage, FileSystemStorage) and not stated:
        return MEDIA_ROOT
    return f'STORAGES["{alias}"]'


def has_content(storage: Storage, name: str, token: str) -> bool:
    if not storage.exists(name):
        return False
    with storage.open(name) as file:
        return bool(file.read() == token.encode())


def list_files(storage: Storage, folder: str) -> list[str]:
    """Return the names of the files in a folder; none if there is no folder, or the storage cannot list."""
    try:
        return storage.listdir(folder)[1]
    except (FileNotFoundError, NotImplementedError):
        return []
