"""One palette for every chart, page and report.

The seven expression colours were searched for the largest least distance (OKLab) under normal
sight and simulated deuteranopia, protanopia and tritanopia, within hues that fit the meaning:
warm for happy and angry, cool for sad and surprise, grey for neutral. They stand on white and on
dark grounds alike. The test of this module holds those distances.
"""

from typing import Final

from fer_core.types import UNKNOWN

EXPRESSION_COLOURS: Final[dict[str, str]] = {
    "angry": "#EA6B43",
    "disgust": "#4D6121",
    "fear": "#8F5B89",
    "happy": "#FAAA2D",
    "sad": "#3C70D7",
    "surprise": "#0DB6FA",
    "neutral": "#91969D",
    UNKNOWN: "#C9CDD2",
}

DISPLAY_ORDER: Final = (
    "happy",
    "surprise",
    "neutral",
    "sad",
    "fear",
    "angry",
    "disgust",
    UNKNOWN,
)
"""From what raises the index to what lowers it, then what could not be read."""

ACCENT: Final = "#0F9488"
"""The index itself: lines, whiskers and bands that belong to no expression."""

INK: Final = "#1F2937"
MUTED: Final = "#6B7280"
"""Text on white paper; on screens the theme's own text colour is used."""

INDEX_SHADES: Final = ("#F3E3C8", "#EFF3F1", "#9CD0C9", "#0F9488", "#085149")
"""The index in a grid, from low to high: apart in lightness on both sides of the middle, for all
kinds of sight."""

GRID: Final = "rgba(128, 128, 128, 0.22)"
"""Grid lines that show on light and dark grounds."""

PAPER_GRID: Final = "#E2E5E9"

WITHHELD: Final = "#8A8F98"
"""Marks where a figure is withheld."""


ACCENT_TINT: Final = "#E6F2F0"
"""The least of the accent, opaque, so that what is written on it can be read on any ground."""


def translucent(colour: str, alpha: float) -> str:
    """``#RRGGBB`` as a CSS rgba() of the given opacity."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
