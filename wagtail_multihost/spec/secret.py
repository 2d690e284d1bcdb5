"""A string that does not print."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import SecretUnreadableError

MASK = "***"


class Secret:
    """
    A secret string. ``repr``, ``str``, ``format``, pickle and tracebacks show ``***``.

    :meth:`reveal` is the only way to the value. A pickled secret unpickles as the mask: a secret
    that has to travel must be revealed by the sender.
    """

    __slots__ = ("__read", "file", "variable")
    __read: Callable[[], str]
    #: The path of the file that holds it; None when it is not in one.
    file: Path | None
    #: The environment variable that holds it; blank when it is not in one.
    variable: str

    def __init__(self, value: str) -> None:
        self.__read = lambda: value
        self.file = None
        self.variable = ""

    @classmethod
    def from_file(cls, path: Path, *, in_any_folder: bool = False) -> Secret:
        """
        Return the secret that ``path`` holds; it is read, less one trailing newline, when it is revealed.

        It is an error then if other accounts can change the file, or if everyone can read it; for root also if it is in
        a folder that another account can change, unless ``in_any_folder`` accepts that.
        """
        secret = cls.__from(lambda: read_secret_file(path, in_any_folder=in_any_folder).removesuffix("\n"))
        secret.file = path
        return secret

    @classmethod
    def from_environment(cls, name: str, environ: Mapping[str, str]) -> Secret:
        """Return the secret in the environment variable ``name``, looked up when it is revealed."""

        def read() -> str:
            try:
                return environ[name]
            except KeyError:
                raise SecretUnreadableError(f"The environment variable {name} is not set.") from None

        secret = cls.__from(read)
        secret.variable = name
        return secret

    @classmethod
    def computed(cls, compute: Callable[[], str]) -> Secret:
        """Return the secret that ``compute`` returns when it is revealed."""
        return cls.__from(compute)

    @classmethod
    def __from(cls, read: Callable[[], str]) -> Secret:
        secret = cls("")
        secret.__read = read
        return secret

    def reveal(self) -> str:
        """Return the value; raises SecretUnreadableError when its file or variable cannot be read."""
        return self.__read()

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a hint at it

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (MASK,))


def open_nonblocking(path: str, flags: int) -> int:
    """Open a file, but do not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_secret_file(path: Path, *, in_any_folder: bool) -> str:
    """Return the text of a secret file; raises SecretUnreadableError."""
    from wagtail_multihost.spec.permissions import secret_file_problem  # loads only where there are secret files

    try:
        with open(path, encoding="utf-8", opener=open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                problem = "It is not a regular file."
            elif not (problem := secret_file_problem(path, status, in_any_folder=in_any_folder)):
                return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretUnreadableError(f"Cannot read the secret file {path}: {reason}.") from None
    raise SecretUnreadableError(f"The secret file {path} is not accepted. {problem}")
