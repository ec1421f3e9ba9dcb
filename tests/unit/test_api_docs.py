"""docs/operations.md tells of the API's requests what its document tells, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.v1.app import here_from, openapi_document
from settings import Settings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
ROUTES_BEGIN, ROUTES_END = "<!-- routes:begin -->\n", "<!-- routes:end -->"


@pytest.fixture(scope="module")
def api_document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    here = here_from(Settings.model_validate({"home": home, "database_url": ""}))
    return openapi_document(here, "/api/v1")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_table_of_routes_is_the_document_of_the_api(api_document: dict[str, Any]) -> None:
    rows = ["| request | what it does |", "|---|---|"]
    for method, path, operation in operations(api_document):
        summary = " ".join(operation["description"].split("\n\n")[0].split())
        rows.append(f"| `{method} {path}` | {summary} |")
    expected = "\n".join(rows) + "\n"
    _, _, rest = OPERATIONS.read_text().partition(ROUTES_BEGIN)
    assert rest.partition(ROUTES_END)[0] == expected, f"put this in:\n{expected}"


def test_every_example_of_the_api_is_one_of_its_requests(api_document: dict[str, Any]) -> None:
    text = OPERATIONS.read_text()
    examples = re.findall(r'curl (.*)"\$API(/[^"?]*)\??([^"]*)"', text)
    assert len(examples) >= 9
    for options, path, query in examples:
        method = "PUT" if "-T " in options else "POST" if "--json" in options else "GET"
        # curl puts the file's name behind a slash at the end.
        whole = f"{path}x" if method == "PUT" and path.endswith("/") else path
        fitting = [
            operation
            for known, known_path, operation in operations(api_document)
            if known == method and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", known_path), whole)
        ]
        assert len(fitting) == 1, (method, path)
        parameters = {
            one["name"] for one in fitting[0].get("parameters", ()) if one["in"] == "query"
        }
        assert {part.partition("=")[0] for part in query.split("&") if part} <= parameters, path
