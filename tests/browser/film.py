"""Films and photos of a QR code on a screen, for a browser's camera."""

import io
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIZE = (1280, 720)
FRAMES = 24


def frame(code: Image.Image, at: float, glare: bool) -> Image.Image:
    """What a hand-held camera sees at a moment, 0 to 1: the screen a little turned and moved, a lamp shining on it."""
    turn = math.sin(2 * math.pi * at)
    seen = Image.new("L", SIZE, 40)
    side = 600 + round(20 * turn)
    screen = code.convert("L").resize((side, side), Image.LANCZOS).point(lambda p: 25 + p * 200 // 255)
    screen = screen.rotate(4 * turn + 2, expand=True, fillcolor=40, resample=Image.BICUBIC)
    x, y = (SIZE[0] - screen.width) // 2 + round(30 * turn), (SIZE[1] - screen.height) // 2 + round(8 * turn)
    seen.paste(screen, (x, y))
    if glare:
        shine = Image.new("L", SIZE, 0)
        middle = (420 + round(300 * at), 330)
        box = (middle[0] - 120, middle[1] - 60, middle[0] + 120, middle[1] + 60)
        ImageDraw.Draw(shine).ellipse(box, fill=110)
        shine = shine.filter(ImageFilter.GaussianBlur(35))
        seen = Image.composite(Image.new("L", SIZE, 255), seen, shine)
    return seen.filter(ImageFilter.GaussianBlur(0.6)).convert("RGB")


def film(code: bytes, out: Path, glare: bool = True):
    """A film of a picture of a code, as Chromium's fake camera plays it, over and over."""
    picture = Image.open(io.BytesIO(code)).convert("RGBA")
    with out.open("wb") as film:
        for number in range(FRAMES):
            frame(picture, number / FRAMES, glare).save(film, "JPEG", quality=80)


def photo(code: bytes, out: Path):
    """One photo of it."""
    frame(Image.open(io.BytesIO(code)).convert("RGBA"), 0.15, glare=True).save(out, quality=85)
