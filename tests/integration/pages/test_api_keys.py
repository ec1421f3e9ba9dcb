"""Keys in Settings: one is shown once, and is gone when it was revoked and that was confirmed.

What a dialog holds is drawn here by itself: the tests' way of running a page closes dialogs.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from db.engine import Database
from db.keys import ApiKeyRow, Scope, create_key, find_key, list_keys
from pages.trouble import NO_DATABASE
from tests.integration.pages.conftest import OpenPage, refresh
from tests.integration.pages.test_each_state import break_off, bring_back
from tests.integration.pages.words import words
from tests.unit.db.made_rows import add_camera


def keys(database: Database) -> list[ApiKeyRow]:
    with database.read() as session:
        return list_keys(session)


def _new_key() -> None:
    import inspect

    from pages import api_keys
    from pages.state import sites

    inspect.unwrap(api_keys._new)(sites())


def _revoke_the_newest() -> None:
    import inspect

    from db.keys import list_keys
    from pages import api_keys
    from pages.state import database

    with database().read() as session:
        newest = list_keys(session)[0]
    inspect.unwrap(api_keys._revoke)(newest)


def test_a_key_is_made_and_shown_once(database: Database) -> None:
    with database.write() as session:
        add_camera(session)
        add_camera(session, "Till")
    dialog = AppTest.from_function(_new_key, default_timeout=60).run()
    dialog.text_input(key="api_key_name").set_value("Recorder")
    scopes, sites = (dialog.multiselect(key=f"api_key_{name}") for name in ("scopes", "sites"))
    assert scopes.value == [Scope.READ]
    scopes.set_value([Scope.READ, Scope.UPLOAD])
    sites.set_value([1])
    dialog.button(key="make_api_key").click().run()
    assert not dialog.exception
    (shown,) = [code.value for code in dialog.code]
    assert [button.key for button in dialog.button] == ["api_key_copied"]
    assert not dialog.text_input
    (row,) = keys(database)
    with database.read() as session:
        assert find_key(session, shown) == row
    assert (row.name, row.scopes, row.site_ids) == (
        "Recorder",
        frozenset({Scope.READ, Scope.UPLOAD}),
        frozenset({1}),
    )
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days == 365
    dialog.button(key="api_key_copied").click().run()
    assert not dialog.exception
    assert not dialog.code
    assert [one.id for one in keys(database)] == [row.id]


def test_a_name_that_is_missing_is_said(database: Database) -> None:
    dialog = AppTest.from_function(_new_key, default_timeout=60).run()
    dialog.button(key="make_api_key").click().run()
    assert "A key needs a name." in words(dialog)
    assert not dialog.code
    assert keys(database) == []


def test_revoking_is_confirmed(database: Database) -> None:
    with database.write() as session:
        create_key(session, "Old recorder", [Scope.UPLOAD])
    dialog = AppTest.from_function(_revoke_the_newest, default_timeout=60).run()
    assert "**Old recorder**" in words(dialog)
    assert keys(database)[0].revoked_at is None
    dialog.button(key="confirm_revoke_api_key").click().run()
    assert not dialog.exception
    assert keys(database)[0].revoked_at is not None


def test_settings_lists_the_keys_and_not_what_opens_anything(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        add_camera(session)
        key, _ = create_key(session, "Recorder", [Scope.READ, Scope.UPLOAD], site_ids=[1])
        old = datetime(2026, 3, 1, tzinfo=UTC)
        expired = datetime(2026, 3, 2, tzinfo=UTC)
        create_key(session, "Old one", [Scope.READ], expires_at=expired, now=old)
    page = open_page("configuration.py")
    text = words(page)
    assert "**Recorder**" in text
    assert "read figures and give footage · Site of Entrance · not used yet" in text
    assert "**Old one** · This key expired on 2026-03-02." in text
    assert key not in text
    assert "revoke_api_key_1" in {button.key for button in page.button}
    assert "revoke_api_key_2" not in {button.key for button in page.button}
    page.button(key="new_api_key").click().run()
    assert not page.exception
    assert page.button(key="make_api_key").label == "Make the key"


@pytest.mark.embedded
def test_a_key_that_cannot_be_made_is_said_in_the_dialog(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    app = open_page("configuration.py").button(key="new_api_key").click().run()
    app.text_input(key="api_key_name").set_value("Recorder")
    app.button(key="make_api_key").click()
    kept = break_off(home, database)
    refresh(app)
    assert "That was not done: the database could not be reached." in words(app)
    assert app.text_input(key="api_key_name").value == "Recorder"
    assert not app.code
    bring_back(home, database, kept)
    app.button(key="make_api_key").click()
    refresh(app)
    assert "That was not done" not in words(app)
    assert len(app.code) == 1


@pytest.mark.embedded
def test_a_key_that_cannot_be_revoked_is_said_in_the_dialog(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    with database.write() as session:
        create_key(session, "Old recorder", [Scope.UPLOAD])
    app = open_page("configuration.py").button(key="revoke_api_key_1").click().run()
    app.button(key="confirm_revoke_api_key").click()
    kept = break_off(home, database)
    refresh(app)
    assert NO_DATABASE in words(app)
    assert "confirm_revoke_api_key" in {button.key for button in app.button}
    bring_back(home, database, kept)
    assert keys(database)[0].revoked_at is None
