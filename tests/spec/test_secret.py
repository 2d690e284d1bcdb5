"""A string that does not print."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import pprint
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import SecretUnreadableError
from wagtail_multihost.spec.secret import MASK, Secret

VALUE = "correct horse battery staple"


@pytest.fixture
def secret() -> Secret:
    return Secret(VALUE)


def test_secret_never_shows_in_text(secret: Secret) -> None:
    """Every way to make text of a secret shows the mask."""
    texts = [
        repr(secret),
        str(secret),
        format(secret, ">40"),
        f"{secret}",
        f"{secret!r}",
        f"{secret!s}",
        "%s" % secret,  # noqa: UP031
        "{}".format(secret),  # noqa: UP032
        ascii(secret),
    ]
    assert set(texts) == {MASK}
    assert VALUE not in pprint.pformat({"password": [secret]})


def test_secret_pickled_comes_back_as_the_mask(secret: Secret) -> None:
    """A pickle has no trace of the value."""
    pickled = pickle.dumps({"password": secret})
    assert VALUE.encode() not in pickled
    assert pickle.loads(pickled)["password"].reveal() == MASK


def test_secret_in_json_is_the_mask(secret: Secret) -> None:
    """JSON refuses a secret, or with default=str has the mask."""
    with pytest.raises(TypeError):
        json.dumps({"password": secret})
    assert json.loads(json.dumps({"password": secret}, default=str)) == {"password": MASK}


def test_secret_in_a_traceback_with_variables_is_the_mask(tmp_path: Path) -> None:
    """Error pages that show the variables of every frame do not show a secret."""
    secret_file(tmp_path / "key", VALUE)

    def fails(held: Secret) -> None:
        raise RuntimeError(f"failed with {held}")

    try:
        fails(Secret.from_file(tmp_path / "key"))
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "held = ***" in shown
    assert VALUE not in shown


def test_secret_in_a_log_is_the_mask(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    """Logging a secret logs the mask."""
    logging.getLogger("tests").warning("password %s, %r", secret, {"password": secret})
    assert caplog.messages == [f"password {MASK}, {{'password': {MASK}}}"]


def test_secret_copies_are_the_secret_itself(secret: Secret) -> None:
    """Copies keep the value: Django deep-copies settings."""
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"password": secret})["password"] is secret


def test_secret_has_no_attributes_with_the_value(secret: Secret) -> None:
    """Looking at the attributes of a secret does not give the value."""
    assert not hasattr(secret, "__dict__")
    assert not hasattr(secret, "value")
    assert VALUE not in repr([getattr(secret, name) for name in dir(secret)])


def test_secret_is_compared_by_value() -> None:
    """Two secrets are equal when their values are, and never equal to text."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("\u00fc") == Secret("\u00fc")
    assert Secret("a") != "a"


def test_secret_has_no_hash(secret: Secret) -> None:
    """A secret cannot be hashed: its hash would be a hint at it."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("key", "key"),
        ("key\n", "key"),
        ("key\n\n", "key\n"),
        ("key\r\n", "key"),
        (" key ", " key "),
        ("\nkey", "\nkey"),
        ("", ""),
    ],
)
def test_secret_file_loses_exactly_one_trailing_newline(tmp_path: Path, content: str, value: str) -> None:
    """What is read is the file's text less one trailing newline."""
    path = secret_file(tmp_path / "key", content)
    assert Secret.from_file(path).reveal() == value


def test_secret_file_is_read_when_it_is_revealed(tmp_path: Path) -> None:
    """A secret of a file takes the content of the moment, so that it can be rotated."""
    path = tmp_path / "key"
    secret = Secret.from_file(path)
    secret_file(path, "new")
    assert secret.reveal() == "new"


def test_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """The error names the path of a file that cannot be read."""
    with pytest.raises(SecretUnreadableError) as missing:
        Secret.from_file(tmp_path / "none").reveal()
    assert str(tmp_path / "none") in str(missing.value)
    assert missing.value.__suppress_context__


def test_secret_file_that_is_not_text_is_named_without_content(tmp_path: Path) -> None:
    """The error of a file that is not UTF-8 text names its path and nothing of its content."""
    path = tmp_path / "key"
    secret_file(path, b"hunter2\xff")
    with pytest.raises(SecretUnreadableError) as unreadable:
        Secret.from_file(path).reveal()
    assert str(path) in str(unreadable.value)
    shown = "".join(traceback.TracebackException.from_exception(unreadable.value, capture_locals=True).format())
    assert "hunter2" not in shown


def test_secret_of_the_environment_is_looked_up_when_it_is_revealed() -> None:
    """A secret in a variable has its value, or an error that names the variable."""
    assert Secret.from_environment("KEY", {"KEY": VALUE}).reveal() == VALUE
    with pytest.raises(SecretUnreadableError, match="KEY is not set"):
        Secret.from_environment("KEY", {}).reveal()


def test_secret_that_is_computed_is_computed_when_it_is_revealed() -> None:
    """A computed secret runs its function for every reveal, and not before."""
    calls: list[int] = []
    secret = Secret.computed(lambda: calls.append(1) or VALUE)  # type: ignore[func-returns-value]
    assert (repr(secret), calls) == (MASK, [])
    assert secret.reveal() == VALUE
    assert calls == [1]


def test_secret_file_is_utf_8_in_every_locale(tmp_path: Path) -> None:
    """A process whose locale is ASCII reads the same secret."""
    path = secret_file(tmp_path / "key", "\u00fcber\r\n")
    code = (
        "import sys; from pathlib import Path; from wagtail_multihost.spec.secret import Secret;"
        "print(ascii(Secret.from_file(Path(sys.argv[1])).reveal()))"
    )
    environ = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "'\\xfcber'\n"


def test_secret_knows_where_it_is() -> None:
    """Its file, its variable, or neither."""
    of_file, of_variable = Secret.from_file(Path("/a")), Secret.from_environment("A", {})
    found = [(secret.file, secret.variable) for secret in (of_file, of_variable, Secret("a"), Secret.computed(str))]
    assert found == [(Path("/a"), ""), (None, "A"), (None, ""), (None, "")]
    assert Secret("a").__eq__("a") is NotImplemented, "the other one may know better"
