"""Photos of QR codes on screens, drawn by a seeded generator, each kind from easy to hopeless."""

from __future__ import annotations

import io
import random
import subprocess
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter

KINDS = ("rotation", "blur", "perspective", "JPEG", "low contrast", "glare", "far away", "noise")
SIZES = ((1280, 960), (1600, 1200), (3000, 2250))
# Modules with the quiet zone of the codes that recorders show most; blur is told in modules.
MODULES = 85


def draw(texts: list[str], seed: int, folder: Path) -> list[tuple[str, str, Path]]:
    """A photo of each text, the kinds in turn; gives kind, text and file."""
    rng, noise = random.Random(seed), numpy.random.default_rng(seed)
    photos = []
    for number, text in enumerate(texts):
        kind = KINDS[number % len(KINDS)]
        severity = number // len(KINDS) / max(1, len(texts) // len(KINDS) - 1)
        file = folder / f"{number:04}.jpg"
        quality = round(60 - 55 * severity) if kind == "JPEG" else 85
        photo(text, kind, severity, rng, noise).save(file, quality=quality)
        photos.append((kind, text, file))
    return photos


def photo(text: str, kind: str, severity: float, rng: random.Random, noise: numpy.random.Generator) -> Image.Image:
    """One photo: held a little askew, lit from one side, and with one fault of its kind, 0 to 1 severe."""
    picture = ["qrencode", "--level=M", "--size=6", "--margin=4", "--output=-", text]
    code = Image.open(io.BytesIO(subprocess.run(picture, capture_output=True, check=True).stdout)).convert("RGBA").convert("L")
    width, height = size = rng.choice(SIZES)
    share = 0.75 - 0.5 * severity if kind == "far away" else 0.8
    side = round(min(size) * share)
    code = code.resize((side, side), Image.Resampling.BICUBIC).point(lambda p: 30 + p * 200 // 255)
    if kind == "rotation":
        code = code.rotate(45 * severity + 1, expand=True, fillcolor=60, resample=Image.Resampling.BICUBIC)
        fits = min(1.0, 0.95 * min(size) / code.width)
        code = code.resize((round(code.width * fits), round(code.height * fits)), Image.Resampling.BICUBIC)
    seen = Image.new("L", size, rng.choice((40, 90, 160)))
    seen.paste(code, ((width - code.width) // 2, (height - code.height) // 2))
    seen = seen.rotate(rng.uniform(-4, 4), fillcolor=60, resample=Image.Resampling.BICUBIC)
    if kind == "perspective":
        seen = tilted(seen, side, severity)
    elif kind == "blur":
        seen = seen.filter(ImageFilter.GaussianBlur(side / MODULES * (0.1 + 0.5 * severity)))
    elif kind == "low contrast":
        seen = seen.point(lambda p: round(110 + (p - 128) * (0.5 - 0.42 * severity)))
    elif kind == "glare":
        seen = shone_on(seen, (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)), 60 + 150 * severity)
    points = numpy.asarray(seen).astype(float)
    grain = 8 + 40 * severity if kind == "noise" else 4
    points += noise.normal(0, grain, points.shape) + numpy.linspace(-25, 25, width)[None, :]
    return Image.fromarray(points.clip(0, 255).astype("uint8"))


def tilted(seen: Image.Image, side: int, severity: float) -> Image.Image:
    """As from one side and below."""
    away = side * 0.28 * severity
    left, top = (seen.width - side) / 2, (seen.height - side) / 2
    square = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    (x0, y0), right_top, right_bottom, (x3, y3) = square
    seen_as = [(x0 + away, y0 + away / 2), right_top, right_bottom, (x3 + away / 3, y3 - away / 2)]
    rows = []
    for (x, y), (u, v) in zip(seen_as, square):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    wanted = [part for corner in square for part in corner]
    matrix = numpy.linalg.solve(numpy.array(rows, float), numpy.array(wanted, float))
    return seen.transform(seen.size, Image.Transform.PERSPECTIVE, matrix, Image.Resampling.BICUBIC)


def shone_on(seen: Image.Image, at: tuple[float, float], bright: float) -> Image.Image:
    """With a lamp's shine on the screen."""
    shine = Image.new("L", seen.size, 0)
    x, y, reach = seen.width * at[0], seen.height * at[1], seen.width * 0.15
    ImageDraw.Draw(shine).ellipse((x - reach, y - reach * 0.6, x + reach, y + reach * 0.6), fill=round(bright))
    shine = shine.filter(ImageFilter.GaussianBlur(seen.width * 0.03))
    return Image.composite(Image.new("L", seen.size, 255), seen, shine)
