"""What requests ask for: whole days, pages, formats. A parameter that is unknown is refused, so
that a slip of the pen does not answer another question."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.requests import Request

from api.v1.places import Id

EARLIEST: Final = date(1970, 1, 1)
LATEST: Final = date(2199, 12, 31)
LONGEST_DAYS: Final = 400
MOST_CHOSEN: Final = 200

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?"
)


def _written_as(pattern: re.Pattern[str], example: str) -> BeforeValidator:
    """Left alone, a number would be taken for seconds since 1970."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise ValueError(f"is written as {example}")
        return value

    return BeforeValidator(check)


def _sensible(value: datetime) -> datetime:
    if not EARLIEST.year < value.year <= LATEST.year:
        raise ValueError(f"lies between {EARLIEST.year + 1} and {LATEST.year}")
    return value


Day = Annotated[
    date, _written_as(_DAY, "2026-03-02"), Field(ge=EARLIEST, le=LATEST, examples=["2026-03-02"])
]
Moment = Annotated[
    datetime,
    _written_as(_MOMENT, "2026-03-02T10:15:00+01:00"),
    AfterValidator(_sensible),
    Field(examples=["2026-03-02T10:15:00+01:00"]),
]


class Asked(BaseModel):
    """``extra``: see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfPlaces(Asked):
    site: list[Id] = Field(
        default=[], max_length=MOST_CHOSEN, description="Sites by id; all when left out."
    )
    camera: list[Id] = Field(
        default=[], max_length=MOST_CHOSEN, description="Cameras by id; all when left out."
    )


class OfPeriod(OfPlaces):
    """Whole days, both ends included, each site's by its own calendar."""

    first: Day = Field(alias="from", description="First day, on each site's own calendar.")
    last: Day = Field(
        alias="to",
        description=f"Last day, itself included; not before the first, and at most "
        f"{LONGEST_DAYS} days in all.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("“to” is before “from”")
        if (self.last - self.first).days >= LONGEST_DAYS:
            raise ValueError(f"ask for at most {LONGEST_DAYS} days at a time")
        return self


Format = Annotated[
    Literal["json", "csv"] | None,
    Field(description="Wins over `Accept`. CSV holds all rows at once, and takes no pages."),
]


def wants_csv(request: Request, asked: Literal["json", "csv"] | None) -> bool:
    """By the parameter, else by whichever of the two the header names first."""
    if asked is not None:
        return asked == "csv"
    accepted = request.headers.get("accept", "").split(",")
    kinds = [kind.partition(";")[0].strip() for kind in accepted]
    known = [kind for kind in kinds if kind in {"text/csv", "application/json", "*/*"}]
    return bool(known) and known[0] == "text/csv"


def cursor(first_digits: int, second_digits: int) -> str:
    """The pattern of a place in an order of two numbers. Any such place can be asked for."""
    return f"^[0-9]{{1,{first_digits}}}[.][0-9]{{1,{second_digits}}}$"


def place_of(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    first, _, second = given.partition(".")
    return int(first), int(second)


def after(first: int, second: int) -> str:
    return f"{first}.{second}"
