"""Run by Alembic for every command; ``db.engine`` hands the connection over."""

import re
from typing import Final, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, create_engine

from db.tables import Base, UtcDateTime

_MONTH: Final = re.compile(r"predictions_\d+")


def _render(kind: str, value: object, _context: AutogenContext) -> str | Literal[False]:
    """A revision must not change its meaning when our code does: write plain types into it."""
    if kind == "type" and isinstance(value, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _included(name: str | None, kind: str, _parents: object) -> bool:
    """The months of predictions are parts of a table, not tables of their own."""
    return not (kind == "table" and name is not None and _MONTH.fullmatch(name))


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
        include_name=_included,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    with create_engine(url).connect() as opened:
        _run(opened)
