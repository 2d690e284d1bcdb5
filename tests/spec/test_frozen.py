"""Values that cannot be changed."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from wagtail_multihost.spec.frozen import Frozen, frozen


@frozen
class Parcel(Frozen):
    """A value for these tests."""

    address: str
    weight: int = 1
    notes: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError("A weight is 0 or more.")


@frozen
class Letter(Frozen):
    """Another value with a field of the same name."""

    address: str


def test_value_has_what_was_stated_and_its_defaults() -> None:
    """Every field has the stated value or its default, and a default of a mutable kind is each value's own."""
    first, second = Parcel(address="A"), Parcel(address="B", weight=2)
    assert (first.address, first.weight, first.notes) == ("A", 1, {})
    assert (second.address, second.weight) == ("B", 2)
    assert first.notes is not second.notes


@pytest.mark.parametrize(
    ("stated", "wrong"),
    [({}, "address is missing"), ({"address": "A", "wieght": 2}, "wieght is not known")],
    ids=["missing", "unknown"],
)
def test_value_with_other_keywords_is_refused(stated: dict[str, Any], wrong: str) -> None:
    """A field that is missing or unknown is named, and no value of another field is."""
    with pytest.raises(TypeError, match=f"^Parcel: {wrong}$"):
        Parcel(**stated)


def test_value_is_checked_whoever_makes_it() -> None:
    """A value that is not accepted does not come to be, by a replacement neither."""
    with pytest.raises(ValueError, match="0 or more"):
        Parcel(address="A", weight=-1)
    with pytest.raises(ValueError, match="0 or more"):
        replace(Parcel(address="A"), weight=-1)


@pytest.mark.parametrize("name", ["address", "colour"])
def test_value_cannot_be_changed(name: str) -> None:
    """Neither a field nor anything else can be set or deleted."""
    parcel = Parcel(address="A")
    with pytest.raises(FrozenInstanceError):
        setattr(parcel, name, "B")
    with pytest.raises(FrozenInstanceError):
        delattr(parcel, name)
    assert parcel.address == "A"
    assert not hasattr(parcel, "__dict__")


def test_values_are_equal_by_their_fields() -> None:
    """Values of one class with equal fields are one key of a table; fields left out of comparisons do not matter."""
    assert Parcel(address="A", notes={"a": "b"}) == Parcel(address="A")
    assert Parcel(address="A") != Parcel(address="A", weight=2)
    assert Letter(address="A") != Parcel(address="A")
    assert Parcel(address="A").__eq__("A") is NotImplemented, "the other one may know better"
    assert len({Parcel(address="A"), Parcel(address="A"), Parcel(address="B")}) == 2


def test_value_prints_its_fields() -> None:
    """The representation is that of a dataclass: the class and its fields, but for those that are left out."""
    assert repr(Parcel(address="A", notes={"a": "b"})) == "Parcel(address='A', weight=1)"


def test_value_is_a_dataclass() -> None:
    """The functions of the standard library's dataclasses take it."""
    assert [declared.name for declared in fields(Parcel)] == ["address", "weight", "notes"]
    assert replace(Parcel(address="A"), weight=3) == Parcel(address="A", weight=3)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copy", "deep", "pickle"],
)
def test_value_can_be_copied(copied: Any) -> None:
    """A copy and a pickle have all fields."""
    parcel = Parcel(address="A", weight=2, notes={"a": "b"})
    twin = copied(parcel)
    assert twin == parcel
    assert twin.notes == {"a": "b"}
