"""The documents speak of what exists: settings, commands, make targets, files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BEGIN, END = "<!-- settings:begin -->\n", "<!-- settings:end -->"


def settings_table() -> str:
    """The table of operations.md, made from the class."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = f"`{default}`" if default != "" else "(empty)"
        rows.append(f"| `SATISFACE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_settings_is_the_class() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    _, _, rest = text.partition(BEGIN)
    table, _, _ = rest.partition(END)
    assert table == settings_table(), f"put this into docs/operations.md:\n{settings_table()}"


def test_every_setting_named_anywhere_exists() -> None:
    # Of tests and training.
    tests = {"TEST_DATA", "TEST_DATABASE", "REQUIRE_BROWSER", "REQUIRE_POSTGRESQL", "CHROMIUM"}
    beside = tests | {"TRAINING_DATA", "MODEL_DIR"}
    known = {name.upper() for name in Settings.model_fields} | beside
    for page in PAGES:
        named = _variables(page)
        assert named <= known, page


def test_every_variable_that_code_names_stands_in_a_document() -> None:
    hidden = [file for file in ROOT.glob("*/") if file.name.startswith(".")]
    files = [file for file in ROOT.rglob("*.py") if not set(hidden) & set(file.parents)]
    named = set().union(*(_variables(file) for file in files))
    told = set().union(*(_variables(page) for page in PAGES))
    assert "MODEL_DIR" in named
    assert named <= told


def _variables(file: Path) -> set[str]:
    return set(re.findall(r"SATISFACE_([A-Z_]+[A-Z])", file.read_text(encoding="utf-8")))


def commands(*group: str) -> str:
    run = subprocess.run(
        [sys.executable, "cli.py", *group, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_every_command_named_anywhere_exists() -> None:
    named = {
        match
        for page in PAGES
        for match in re.findall(r"cli\.py ((?:(?:db|keys) )?[a-z][a-z-]*)", page.read_text())
    }
    assert {"analyse", "ingest", "worker", "export", "demo", "db upgrade", "keys create"} <= named
    known = {"": commands(), "db": commands("db"), "keys": commands("keys")}
    for name in named:
        group, _, command = name.rpartition(" ")
        assert re.search(rf"\b{command}\b", known[group]), name


def test_every_make_target_named_anywhere_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
