"""A workbook read back from its XML: what Excel would show, cell by cell."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

import pandas as pd

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Cell = str | float | bool


class Book:
    """Sheets by name, in their order; a cell is its text, its number, or not there."""

    def __init__(self, data: bytes) -> None:
        self.files = zipfile.ZipFile(io.BytesIO(data))
        self._texts: list[str] = []
        if "xl/sharedStrings.xml" in self.files.namelist():
            shared = self._xml("xl/sharedStrings.xml").iter(f"{MAIN}si")
            self._texts = ["".join(text.itertext()) for text in shared]
        targets = {
            one.attrib["Id"]: one.attrib["Target"]
            for one in self._xml("xl/_rels/workbook.xml.rels")
        }
        self.sheets = {
            sheet.attrib["name"]: self._xml(f"xl/{targets[sheet.attrib[_REL]]}")
            for sheet in self._xml("xl/workbook.xml").iter(f"{MAIN}sheet")
        }

    def _xml(self, name: str) -> ET.Element:
        return ET.fromstring(self.files.read(name))

    def rows(self, sheet: str) -> list[dict[str, Cell]]:
        """Cells of each row by column letter."""
        return [
            {re.sub(r"\d", "", cell.attrib["r"]): self._value(cell) for cell in row if len(cell)}
            for row in self.sheets[sheet].iter(f"{MAIN}row")
        ]

    def table(self, sheet: str) -> pd.DataFrame:
        """By the titles of the first row."""
        head, *rows = self.rows(sheet)
        return pd.DataFrame(
            [{head[letter]: value for letter, value in row.items()} for row in rows],
            columns=list(head.values()),
        )

    def _value(self, cell: ET.Element) -> Cell:
        kind = cell.attrib.get("t")
        if kind == "inlineStr":
            return "".join(cell.itertext())
        text = cell.findtext(f"{MAIN}v", "")
        if kind == "s":
            return self._texts[int(text)]
        return text == "1" if kind == "b" else float(text)
