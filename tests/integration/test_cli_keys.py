"""Keys of programs from a terminal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands.app import app
from db.keys import ApiKeyRow, Scope, find_key, list_keys
from settings import Settings
from tests.made_jobs import made_settings, opened
from tests.unit.db.made_rows import add_camera


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = made_settings(tmp_path, database_url="", footage_url="")
    monkeypatch.setattr("settings.settings", lambda: made)
    with opened(made) as database, database.write() as session:
        add_camera(session)
    return made


def run(*arguments: str, answer: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["keys", *arguments], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def keys(home: Settings) -> list[ApiKeyRow]:
    with opened(home) as database, database.read() as session:
        return list_keys(session)


def test_the_key_alone_is_written_to_the_standard_output(home: Settings) -> None:
    scopes = ("--scope", "read", "--scope", "upload")
    made = run("create", "Till import", *scopes, "--site", "Site of Entrance", "--days", "30")
    assert made.exit_code == 0
    assert "It is not shown again." in made.stderr
    (row,) = keys(home)
    with opened(home) as database, database.read() as session:
        assert find_key(session, made.stdout.strip()) == row
    assert row.scopes == {Scope.READ, Scope.UPLOAD}
    assert row.site_ids == frozenset({1})
    assert row.expires_at == row.created_at + timedelta(days=30)


def test_keys_are_listed_without_what_opens_anything(home: Settings) -> None:
    assert "There are no keys." in run("list").stderr
    key = run("create", "Reader", "--scope", "read").stdout.strip()
    (row,) = keys(home)
    shown = run("list").stdout
    assert key not in shown
    assert all(part in shown for part in ("Reader", row.hint, "read", "all", "never", "in force"))


def test_revoking_asks_and_takes_a_number_or_a_name(home: Settings) -> None:
    for name in ("one", "two"):
        run("create", name, "--scope", "rows")
    assert run("revoke", "one", answer="n\n").exit_code == 1
    assert all(key.revoked_at is None for key in keys(home))
    assert run("revoke", "one", answer="y\n").exit_code == 0
    assert run("revoke", "2", "--yes").exit_code == 0
    assert all(key.revoked_at is not None for key in keys(home))
    shown = run("list").stdout
    assert f"revoked {datetime.now(UTC):%Y-%m-%d}" in shown
    gone = run("revoke", "one", "--yes")
    assert gone.exit_code == 1
    assert "There is no key one that could be revoked." in gone.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--scope", "everything"), "There is no scope everything; there are read, rows, upload."),
        (("--scope", "read", "--site", "Elsewhere"), "There is no site Elsewhere."),
    ],
)
def test_what_cannot_be_made_is_said(
    home: Settings, options: tuple[str, ...], sentence: str
) -> None:
    made = run("create", "x", *options)
    assert made.exit_code == 1
    assert sentence in made.stderr
    assert keys(home) == []


def test_a_list_that_is_piped_holds_names_whole_whatever_they_are(home: Settings) -> None:
    names = ("Till [/old]", "Till [north] :key:", "The recorder at the entrance of Main Street")
    for name in names:
        run("create", name, "--scope", "read")
    shown = run("list").stdout
    for row in keys(home):
        assert any(row.name in line and row.hint in line for line in shown.splitlines())


def test_a_number_revokes_its_key_though_another_is_named_so(home: Settings) -> None:
    run("create", "till", "--scope", "read")
    run("create", "1", "--scope", "read")
    assert run("revoke", "1", "--yes").exit_code == 0
    assert {row.name: row.revoked_at is not None for row in keys(home)} == {
        "till": True,
        "1": False,
    }
    assert run("revoke", "1", "--yes").exit_code == 0
    assert all(row.revoked_at for row in keys(home))
