"""
Frozen dataclasses that are quick to define.

Every process of every site defines them before it serves anything. ``dataclasses`` compiles five methods for each
class, which takes most of that time; these classes inherit theirs.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, ClassVar, TypeVar, dataclass_transform

T = TypeVar("T", bound="Frozen")


class Frozen:
    """What a class with the decorator :func:`frozen` derives from."""

    __slots__: tuple[str, ...] = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __defaults__: ClassVar[dict[str, Any]]

    def __init__(self, **stated: Any) -> None:
        known, values = self.__dataclass_fields__, {**self.__defaults__, **stated}
        if values.keys() != known.keys():
            made = {name: one.default_factory for name, one in known.items() if one.default_factory is not MISSING}
            values = {**{name: make() for name, make in made.items()}, **values}
        if values.keys() != known.keys():
            missing = [f"{name} is missing" for name in known if name not in values]
            wrong = [*missing, *(f"{name} is not known" for name in stated if name not in known)]
            raise TypeError(f"{type(self).__qualname__}: {', '.join(wrong)}")
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Raise ConfigurationError when a field's value is not accepted."""

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __repr__(self) -> str:
        shown = (f"{declared.name}={getattr(self, declared.name)!r}" for declared in fields(self) if declared.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__compared() == other.__compared()

    def __hash__(self) -> int:
        return hash(self.__compared())

    def __compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, declared.name) for declared in fields(self) if declared.compare)

    def __getstate__(self) -> list[object]:
        return [getattr(self, declared.name) for declared in fields(self)]

    def __setstate__(self, state: list[object]) -> None:
        for declared, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, declared.name, value)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(declared: type[T]) -> type[T]:
    """Make a frozen dataclass with slots, whose fields are stated by keywords, of a class that derives from Frozen."""
    made = dataclass(init=False, repr=False, eq=False, match_args=False, slots=True, kw_only=True)(declared)
    made.__defaults__ = {one.name: one.default for one in fields(made) if one.default is not MISSING}
    return made
