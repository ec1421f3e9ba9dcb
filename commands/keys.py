"""Commands about the keys of programs: keys create, list, revoke."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from commands.terminal import console, opened_database, say, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from db.keys import ApiKeyRow

_WIDEST: Final = 100_000


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[
        list[str],
        typer.Option(help="read, rows or upload; several times for several."),
    ],
    site: Annotated[
        list[str] | None,
        typer.Option(help="Site that the key is bound to; several times for several."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until it expires; else never.")
    ] = None,
) -> None:
    """Make a key for a program. It is written to the standard output, this once."""
    from db.keys import ApiKeyError, Scope, create_key

    now = datetime.now(UTC)
    with sentences(), opened_database() as database, database.write() as session:
        known = [one.value for one in Scope]
        for one in scope:
            if one not in known:
                raise ApiKeyError(f"There is no scope {one}; there are {', '.join(known)}.")
        key, row = create_key(
            session,
            name,
            [Scope(one) for one in scope],
            site_ids=_site_ids(session, site) if site else None,
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
    typer.echo(key)
    say(f"The key {row.name} was made (number {row.id}). It is not shown again.")


def list_() -> None:
    """List the keys: what each opens, when it was used, and whether it is in force."""
    from rich.measure import Measurement
    from rich.table import Column, Table
    from rich.text import Text

    from db.keys import list_keys
    from db.places import list_sites

    with sentences(), opened_database() as database, database.read() as session:
        keys = list_keys(session)
        names = {site.id: site.name for site in list_sites(session)}
    if not keys:
        say("There are no keys.")
        return
    now = datetime.now(UTC)
    columns = ("Number", "Name", "Key", "Scopes", "Sites", "Made", "Last used", "State")
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for key in keys:
        cells = (
            str(key.id),
            key.name,
            f"{key.hint}…",
            " ".join(sorted(key.scopes)),
            "all" if key.site_ids is None else ", ".join(_named(key, names)) or "gone",
            f"{key.created_at:%Y-%m-%d}",
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            _state(key, now),
        )
        table.add_row(*map(Text, cells))
    # Standard output, so that it can be searched: there a row is a line, however long.
    shown = console(to_standard_output=True)
    if not shown.is_terminal:
        shown.width = Measurement.get(shown, shown.options.update_width(_WIDEST), table).maximum
    shown.print(table)


def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its number or its name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Revoke a key: from then on it opens nothing."""
    from db.keys import ApiKeyError, list_keys, revoke_key

    now = datetime.now(UTC)
    with sentences(), opened_database() as database:
        with database.read() as session:
            keys = [one for one in list_keys(session) if one.revoked_at is None]
        found = [one for one in keys if key == str(one.id)] or [
            one for one in keys if key == one.name
        ]
        if not found:
            raise ApiKeyError(f"There is no key {key} that could be revoked.")
        if len(found) > 1:
            raise ApiKeyError(f"Several keys are called {key}; revoke one by its number.")
        if not yes:
            typer.confirm(
                f"Revoke the key {found[0].name} (number {found[0].id})?", abort=True, err=True
            )
        with database.write() as session:
            revoke_key(session, found[0].id, now=now)
    say(f"The key {found[0].name} was revoked.")


def _site_ids(session: "Session", names: "Sequence[str]") -> list[int]:
    from db.places import PlaceError, list_sites

    ids = {site.name: site.id for site in list_sites(session)}
    for name in names:
        if name not in ids:
            raise PlaceError(f"There is no site {name}.")
    return [ids[name] for name in names]


def _named(key: "ApiKeyRow", names: dict[int, str]) -> list[str]:
    return sorted(names[site_id] for site_id in key.site_ids or () if site_id in names)


def _state(key: "ApiKeyRow", now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "in force"
    return f"{'expired' if key.refusal(now) else 'until'} {key.expires_at:%Y-%m-%d}"
