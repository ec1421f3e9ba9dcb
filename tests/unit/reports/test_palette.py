"""Colours are told apart by everybody, on paper and on dark screens."""

from itertools import combinations
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.types import EXPRESSIONS, UNKNOWN
from reports.palette import ACCENT, DISPLAY_ORDER, EXPRESSION_COLOURS, translucent

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", IEEE TVCG 15 (2009), severity 1, on linear RGB.
SIGHTS: Final = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
PAPER: Final = "#FFFFFF"
DARK: Final = "#14191B"


def linear(colour: str) -> NDArray[np.float64]:
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Björn Ottosson, "A perceptual color space for image processing" (2020)."""
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    ) @ np.clip(rgb, 0, 1)
    return np.asarray(
        np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        )
        @ np.cbrt(lms)
    )


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of luminances."""
    light, dark = sorted(
        (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_expressions_are_told_apart(sight: str) -> None:
    seen = {name: oklab(SIGHTS[sight] @ linear(c)) for name, c in EXPRESSION_COLOURS.items()}
    distances = {
        pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(seen, 2)
    }
    # 0.02 is a just noticeable difference.
    assert min(distances.values()) > 0.11, min(distances, key=lambda pair: distances[pair])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_stands_out_on_light_and_dark(expression: str) -> None:
    colour = EXPRESSION_COLOURS[expression]
    assert contrast(colour, PAPER) > 1.9
    assert contrast(colour, DARK) > 2.5


def test_the_index_line_meets_the_contrast_for_graphics() -> None:
    assert contrast(ACCENT, PAPER) > 3
    assert contrast(ACCENT, DARK) > 3


def test_every_expression_has_its_colour_and_place() -> None:
    assert set(EXPRESSION_COLOURS) == {*EXPRESSIONS, UNKNOWN}
    assert sorted(DISPLAY_ORDER) == sorted(EXPRESSION_COLOURS)
    assert DISPLAY_ORDER[-1] == UNKNOWN


def test_translucent_keeps_the_colour() -> None:
    assert translucent("#0F9488", 0.2) == "rgba(15, 148, 136, 0.2)"
