"""The API does what its OpenAPI document says, and says what it does: schemathesis asks each
operation for what the document allows and for what it does not."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema

from api.v1.app import here_from
from api.v1.queries import EARLIEST, LATEST, LONGEST_DAYS
from db.engine import Database
from tests.made_api import PREFIX, filled, key_for, mounted, settings_for
from tests.made_footage import write_picture

_IDS = ("camera_id", "recording_id")


@pytest.fixture
def key(database: Database) -> str:
    return key_for(database)


@pytest.fixture
def document(database: Database, database_url: str, tmp_path: Path) -> Iterator[BaseSchema]:
    filled(database)
    (tmp_path / "footage").mkdir()  # where that of the recordings lay
    here = here_from(settings_for(tmp_path, database_url, minimum_people=10))
    found: BaseSchema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", mounted(here))
    found.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])

    @found.hook
    def map_query(_: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
        """No schema can say that one day comes after another."""
        return query and query | _in_order(query)

    yield found
    here.database.close()


def _made_sensible(case: Any, picture: bytes) -> None:
    """What no schema can say: which ids there are, what a picture is, which years are meant."""
    for name in _IDS:
        if name in case.path_parameters:
            case.path_parameters[name] = 1 + case.path_parameters[name] % 8
    if case.method == "PUT":
        case.body = picture
    elif case.method == "POST" and isinstance(case.body, dict):
        case.body = case.body | _of_our_time(case.body)


def _of_our_time(given: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(given.get("captured_at"), str):
        return {}
    return {"captured_at": re.sub(r"^\d{4}", "2024", given["captured_at"])}


def _in_order(query: dict[str, Any]) -> dict[str, Any]:
    """Days in the years, and in the order, in which the descriptions want them."""
    days = {name: _day(query.get(name)) for name in ("from", "to")}
    given = {name: day for name, day in days.items() if day is not None}
    kept = sorted(min(max(day, EARLIEST), LATEST) for day in given.values())
    if len(kept) == 2:
        kept[1] = min(kept[1], date.fromordinal(kept[0].toordinal() + LONGEST_DAYS - 1))
    mended = {name: day.isoformat() for name, day in zip(given, kept, strict=True)}
    return mended | _of_our_time(query)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


@pytest.mark.timeout(3600)  # some hundred requests, whatever else the machine does
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_each_operation_keeps_to_the_document(
    document: BaseSchema,
    key: str,
    mode: GenerationMode,
    subtests: pytest.Subtests,
    tmp_path: Path,
) -> None:
    picture = tmp_path / "picture.jpg"
    write_picture(picture)
    operations = [one.ok() for one in document.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) == 10
    for operation in operations:
        with subtests.test(operation.label):
            asked = 0

            @given(case=operation.as_strategy(generation_mode=mode))
            @hypothesis_settings(
                max_examples=12,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.generate],
            )
            def ask(case: Any) -> None:
                nonlocal asked
                asked += 1
                if mode is GenerationMode.POSITIVE:
                    _made_sensible(case, picture.read_bytes())
                case.call_and_validate(headers={"Authorization": f"Bearer {key}"})

            ask()
            assert asked
