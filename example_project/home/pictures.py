"""Pictures for the demo, painted when they are needed: a checkout has no large files."""

import io
import math
import random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (1280, 720)
# From the sky's top to its horizon, the light in it, and the hills from far to near.
COLOURS = {
    "night": ("#0b1538", "#31508f", "#7df0c8", ("#22376b", "#172750", "#0d1836")),
    "ember": ("#f7b267", "#fde3c0", "#fff4dd", ("#c8643a", "#8f3d1f", "#54210f")),
    "garden": ("#9fd6e8", "#f1f7d9", "#fff6b0", ("#8cc084", "#4d9a5f", "#1f5b3a")),
}


def paint(theme: str, seed: int) -> bytes:
    """Return a JPEG of hills below a sky in the theme's colours; each ``seed`` has other hills."""
    top, horizon, light, hills = COLOURS[theme]
    chance = random.Random(f"{theme} {seed}")  # noqa: S311 - pictures are no secret
    width, height = SIZE
    sky = Image.linear_gradient("L").resize(SIZE)
    picture = Image.composite(Image.new("RGB", SIZE, horizon), Image.new("RGB", SIZE, top), sky)
    glow = Image.new("L", SIZE)
    x, y = chance.randint(width // 6, width * 5 // 6), chance.randint(height * 5 // 16, height * 6 // 16)
    if theme == "night":  # a curtain of light in place of a sun
        ImageDraw.Draw(glow).line(wave(chance, y, height // 8), fill=190, width=height // 8)
    else:
        radius = height // 9
        ImageDraw.Draw(glow).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    picture.paste(light, mask=glow.filter(ImageFilter.GaussianBlur(height // (30 if theme == "night" else 90))))
    draw = ImageDraw.Draw(picture)
    for number, colour in enumerate(hills):
        ridge = wave(chance, height * (5 + number) // 9, height // (7 + number))
        draw.polygon([*ridge, (width, height), (0, height)], fill=colour)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def wave(chance: random.Random, level: int, swing: int) -> list[tuple[float, float]]:
    """Return the points of a line from left to right, about ``level`` pixels from the top."""
    parts = [(chance.uniform(0.5, 2.5), chance.uniform(0, math.tau), chance.uniform(0.2, 0.6)) for _ in range(3)]
    width = SIZE[0]
    return [
        (x, level + swing * sum(size * math.sin(turns * math.tau * x / width + start) for turns, start, size in parts))
        for x in range(0, width + 1, 4)
    ]
