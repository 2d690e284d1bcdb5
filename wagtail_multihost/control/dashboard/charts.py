"""
The geometry of the charts: seconds of days become rectangles, and measured times a path.

Everything is in whole units of a viewBox, so that no language's way of writing numbers can get into an attribute.
Nothing here knows of Django, of sites or of words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

#: The bar of days: how wide a day is, how far apart two begin, and how high it is.
DAY_WIDTH, DAY_STEP, DAY_HEIGHT = 3, 4, 40
#: The line: its width in units, of which a day has one for each minute, and its height.
LINE_WIDTH, LINE_HEIGHT = 1440, 200
#: Values above so many times the mark do not raise the top of the scale: a huge one would press all others flat.
MOST_TIMES = 10
#: What the top of a scale can begin with.
ROUND = (1, 2, 5, 10)


class Part(NamedTuple):
    """A rectangle of a day: what it is of, its upper edge and its height."""

    kind: str
    y: int
    height: int


class Bar(NamedTuple):
    """A day: its left edge, and its rectangles from the top; none where nothing is to be said of it."""

    x: int
    parts: tuple[Part, ...]


class Line(NamedTuple):
    """
    A line over time. ``path`` has one subpath for each stretch without a gap; ``top`` is the value at the upper edge,
    ``mark`` the height of the line to compare with, and ``is_cut`` says that something lies above the upper edge, where
    it is drawn.
    """

    path: str
    top: int
    mark: int
    is_cut: bool


def width_of_days(count: int) -> int:
    """Return how wide the bars of so many days are together."""
    return max(0, count * DAY_STEP - (DAY_STEP - DAY_WIDTH))


def draw_days(days: Sequence[Sequence[tuple[str, float]]], slots: int) -> list[Bar]:
    """
    Return the bars of the last ``slots`` days, the last one at the right edge: of each day the kinds, from the top,
    with their seconds. How long a day is makes no difference, so that one of 23 or 25 hours is as high as the others.
    """
    shown = list(days)[-slots:] if slots > 0 else []
    first = slots - len(shown)
    return [Bar((first + number) * DAY_STEP, stack(day, DAY_HEIGHT)) for number, day in enumerate(shown)]


def stack(amounts: Sequence[tuple[str, float]], height: int) -> tuple[Part, ...]:
    """Return the rectangles of a bar, from the top; what is above nothing is at least one unit high."""
    parts, y = [], 0
    for (kind, _), length in zip(amounts, split([amount for _, amount in amounts], height), strict=True):
        if length:
            parts.append(Part(kind, y, length))
        y += length
    return tuple(parts)


def split(amounts: Sequence[float], height: int) -> list[int]:
    """
    Split a height by amounts, into whole units that together are the height. Each amount above nothing gets at least
    one, which those with the most give up; the rest goes to the largest remainders. Nothing at all is split into none.
    """
    known = [amount if math.isfinite(amount) and amount > 0 else 0.0 for amount in amounts]
    most = max(known, default=0.0)
    if not most:
        return [0] * len(known)
    ratios = [amount / most for amount in known]  # a sum of huge amounts would be infinite
    exact = [ratio / sum(ratios) * height for ratio in ratios]
    lengths = [max(1, int(share)) if amount else 0 for share, amount in zip(exact, known, strict=True)]
    while (left := height - sum(lengths)) != 0:
        over = [share - length for share, length in zip(exact, lengths, strict=True)]
        index = over.index(max(over)) if left > 0 else lengths.index(max(lengths))
        lengths[index] += 1 if left > 0 else -1
    return lengths


def draw_line(
    points: Sequence[tuple[datetime, float | None]],
    start: datetime,
    end: datetime,
    step: timedelta,
    mark: int,
    top: int | None = None,
) -> Line:
    """
    Return the line through the values of stretches that begin at their times and are ``step`` long, each drawn at its
    middle. Where one is missing, has no value or is no number, the line breaks: nothing is drawn where nobody looked.
    """
    # Of times in one zone Python subtracts what clocks show, which is not what has passed where they are changed.
    found = sorted((at.astimezone(UTC), value) for at, value in points if value is not None and not math.isnan(value))
    begin, length = start.astimezone(UTC), end.astimezone(UTC) - start.astimezone(UTC)
    top = choose_top([value for _, value in found], mark) if top is None else top
    pieces, last = [], None
    for at, value in found:
        x = scale((at + step / 2 - begin) / length, 1, LINE_WIDTH)
        y = LINE_HEIGHT - scale(value, top, LINE_HEIGHT)
        if last is None or at - last > step:
            # Of no length, for a line cap to make it a dot, where no other point follows.
            pieces.append(f"M{x} {y}h0")
        else:
            pieces.append(f"L{x} {y}")
        last = at
    is_cut = any(value > top for _, value in found)
    return Line("".join(pieces), top, LINE_HEIGHT - scale(mark, top, LINE_HEIGHT), is_cut)


def choose_top(values: Sequence[float], mark: int) -> int:
    """Return the top of a scale that has the values and the mark: a round number. It is not raised for huge values."""
    finite = [value for value in values if math.isfinite(value)]
    most = min(max([mark, *finite]), mark * MOST_TIMES)
    power = 10 ** math.floor(math.log10(most)) if most >= 1 else 1
    return int(next(power * first for first in ROUND if power * first >= most))


def scale(value: float, most: float, length: int) -> int:
    """Return how far a value is along a length that ``most`` fills, rounded half up, and never outside of it."""
    if value >= most:
        return length
    return math.floor(value * length / most + 0.5) if value > 0 else 0
