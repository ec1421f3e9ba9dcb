"""The model card says what the model's files say."""

import re
from pathlib import Path

from PIL import Image

from fer_core.model_card import read_card, read_metrics
from training.document import PAGE, page

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_in_docs_is_the_one_the_command_writes() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(read_card(), read_metrics())


def test_every_picture_of_the_page_is_there() -> None:
    pictures = re.findall(r"\]\((\S+\.png)\)", page(read_card(), read_metrics()))
    assert len(pictures) == 4
    for picture in pictures:
        assert (ROOT / PAGE.parent / picture).is_file()


def test_the_pictures_show_what_the_page_says() -> None:
    measured = read_metrics()
    assert measured.test is not None
    of_private_test = page(read_card(), measured).split("## In pictures (PrivateTest)")[1]
    pictures = re.findall(r"\]\((\S+\.png)\)", of_private_test)
    assert len(pictures) == 3
    for picture in pictures:
        with Image.open(ROOT / PAGE.parent / picture) as image:
            assert image.info["Title"] == f"{measured.version}, PrivateTest"


def test_every_figure_stands_on_the_page_with_its_interval() -> None:
    card = read_card()
    text = page(card, read_metrics())
    for figure in card.figures.values():
        assert f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" in text
