#!/usr/bin/python3
"""Make the demo picture for imshow: a test card, as a PPM file.

    make_testcard.py -o build/testcard.ppm

Called by the build. Eight colour bars, below them a grey ramp, around all a white frame and in the
middle a circle, which shows whether proportions are kept.
"""

import argparse
from pathlib import Path

WIDTH, HEIGHT = 320, 240
BARS = [(r, g, b) for g in (255, 0) for r in (255, 0) for b in (255, 0)]
WHITE = (255, 255, 255)
RAMP = HEIGHT * 3 // 4  # the row it begins at
RADIUS = HEIGHT // 3


def colour(x: int, y: int) -> tuple[int, int, int]:
    if x in (0, WIDTH - 1) or y in (0, HEIGHT - 1):
        return WHITE
    distance = ((x - WIDTH // 2) ** 2 + (y - HEIGHT // 2) ** 2) ** 0.5
    if abs(distance - RADIUS) < 1:
        return WHITE
    if y >= RAMP:
        return (x * 255 // (WIDTH - 1),) * 3
    return BARS[x * len(BARS) // WIDTH]


def make() -> bytes:
    pixels = bytes(part for y in range(HEIGHT) for x in range(WIDTH) for part in colour(x, y))
    return b"P6\n# stos test card\n%d %d\n255\n" % (WIDTH, HEIGHT) + pixels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.parse_args().output.write_bytes(make())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
