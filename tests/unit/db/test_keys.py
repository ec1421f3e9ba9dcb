"""Keys of programs: told once, kept as a hash, gone when they are revoked."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from db.engine import Database
from db.keys import (
    ApiKeyError,
    ApiKeyRow,
    Scope,
    create_key,
    find_key,
    is_use_to_be_noted,
    list_keys,
    note_use,
    revoke_key,
)
from db.places import create_site, delete_site
from db.tables import ApiKey
from tests.unit.db.made_rows import NOON

LATER = NOON + timedelta(days=1)


def made(
    database: Database, name: str = "a program", sites: tuple[int, ...] | None = None
) -> tuple[str, ApiKeyRow]:
    with database.write() as session:
        return create_key(session, name, [Scope.READ], site_ids=sites, now=NOON)


def found(database: Database, key: str) -> ApiKeyRow:
    with database.read() as session:
        row = find_key(session, key)
    assert row is not None
    return row


def test_a_key_is_found_by_itself_alone(database: Database) -> None:
    key, row = made(database)
    other, _ = made(database, "another")
    assert len(key) == len(other) == len("satisface_") + 43
    assert found(database, key) == row
    assert row.scopes == {Scope.READ}
    assert row.refusal(LATER) is None
    with database.read() as session:
        for wrong in ("", "satisface_", key[:-1], key + "A", key.upper(), key.removeprefix("sat")):
            assert find_key(session, wrong) is None


def test_the_database_holds_a_hash_and_no_key(database: Database) -> None:
    key, row = made(database)
    with database.read() as session:
        stored = session.scalars(select(ApiKey)).one()
        values = [str(getattr(stored, column.name)) for column in ApiKey.__table__.columns]
    assert stored.digest == hashlib.sha256(key.encode()).hexdigest()
    assert all(key not in value for value in values)
    assert key.startswith(row.hint)
    assert len(row.hint) < len("satisface_") + 6


def test_a_revoked_key_opens_nothing_and_is_still_listed(database: Database) -> None:
    key, row = made(database)
    with database.write() as session:
        assert revoke_key(session, row.id, now=LATER)
        assert not revoke_key(session, row.id, now=LATER + timedelta(days=1))
        assert not revoke_key(session, 99)
    assert found(database, key).refusal(LATER) == "This key was revoked on 2026-03-03."
    with database.read() as session:
        assert [one.revoked_at for one in list_keys(session)] == [LATER]


def test_a_key_expires(database: Database) -> None:
    with database.write() as session:
        _, row = create_key(session, "short", [Scope.UPLOAD], expires_at=LATER, now=NOON)
    assert row.refusal(LATER - timedelta(seconds=1)) is None
    assert row.refusal(LATER) == "This key expired on 2026-03-03."


def test_a_name_is_free_again_once_its_key_is_not_in_force(database: Database) -> None:
    _, row = made(database, "Till import")
    with pytest.raises(ApiKeyError, match="already a key named Till import"):
        made(database, " till  IMPORT ")
    with database.write() as session:
        revoke_key(session, row.id, now=NOON)
    made(database, "Till import")


def test_keys_that_make_no_sense_are_refused(database: Database) -> None:
    with database.write() as session:
        for name, scopes, sites, expires, sentence in (
            (" ", [Scope.READ], None, None, "needs a name"),
            ("x" * 101, [Scope.READ], None, None, "at most 100"),
            ("x", [], None, None, "has to open something"),
            ("x", [Scope.READ], (), None, "needs one at least"),
            ("x", [Scope.READ], (7,), None, "does not exist any more"),
            ("x", [Scope.READ], None, NOON, "in the future"),
        ):
            with pytest.raises(ApiKeyError, match=sentence):
                create_key(session, name, scopes, site_ids=sites, expires_at=expires, now=NOON)
        assert list_keys(session) == []


def test_a_key_of_a_deleted_site_reaches_no_site_that_comes_after_it(database: Database) -> None:
    with database.write() as session:
        first = create_site(session, "Gone", "UTC")
    key, row = made(database, sites=(first,))
    assert row.site_ids == frozenset({first})
    with database.write() as session:
        delete_site(session, first)
    with database.write() as session:
        create_site(session, "New", "UTC")
    assert found(database, key).site_ids == frozenset()


def test_use_is_noted_to_the_minute_and_never_backwards(database: Database) -> None:
    key, row = made(database)
    assert is_use_to_be_noted(row, NOON)
    with database.write() as session:
        note_use(session, row.id, LATER)
        note_use(session, row.id, NOON)
    used = found(database, key)
    assert used.last_used_at == LATER
    assert not is_use_to_be_noted(used, LATER + timedelta(seconds=59))
    assert is_use_to_be_noted(used, LATER + timedelta(seconds=60))
