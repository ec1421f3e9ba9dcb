"""Rules of alerts are switched, changed, undone and given back on Settings."""

import pytest
from streamlit.testing.v1 import AppTest

from analytics.alert_rules import AlertKind, AlertRule, limit_for, rules_of
from db.alerts import read_rules, save_rule
from db.engine import Database
from db.places import create_site, list_sites, set_target
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import add_camera

PAGE = "configuration.py"


def stored(database: Database) -> list[AlertRule]:
    with database.read() as session:
        return read_rules(session)


def key(kind: AlertKind, what: str, scope: str = "every", times: int = 0) -> str:
    return f"alert_{kind}_{scope}_{times}_{what}"


def press(app: AppTest, label: str) -> AppTest:
    return next(b for b in app.button if b.label == label).click().run()


@pytest.fixture
def site(database: Database) -> int:
    with database.write() as session:
        add_camera(session)
        return list_sites(session)[0].id


def test_without_sites_the_defaults_are_shown(open_page: OpenPage, database: Database) -> None:
    app = open_page(PAGE)
    assert [toggle.value for toggle in app.toggle if toggle.label == "Warn"] == [True] * 4
    days = [box.value for box in app.selectbox if box.label == "About one false alarm in"]
    assert days == [400, 400]
    assert "No target is set yet" in words(app)
    assert stored(database) == []
    assert "Back to the defaults" not in buttons(app)


@pytest.mark.usefixtures("site")
def test_a_kind_is_switched_off_and_that_is_undone(open_page: OpenPage, database: Database) -> None:
    app = open_page(PAGE)
    app = app.toggle(key=key(AlertKind.SUDDEN_DROP, "on")).set_value(False).run()
    assert "Sudden drop: off for every site." in words(app)
    assert not rules_of(stored(database), None)[AlertKind.SUDDEN_DROP].is_enabled
    app = press(app, "Undo")
    assert "The change was undone." in words(app)
    assert "Undo" not in buttons(app)
    assert stored(database) == []
    assert app.toggle(key=key(AlertKind.SUDDEN_DROP, "on", times=1)).value


@pytest.mark.usefixtures("site")
def test_how_sure_it_must_be_is_chosen_in_false_alarms(
    open_page: OpenPage, database: Database
) -> None:
    app = open_page(PAGE)
    app = app.selectbox(key=key(AlertKind.SUDDEN_DROP, "days")).set_value(100).run()
    assert stored(database) == [AlertRule(AlertKind.SUDDEN_DROP, None, limit_for(100))]
    app = app.number_input(key=key(AlertKind.SILENT, "hours")).set_value(8).run()
    assert rules_of(stored(database), None)[AlertKind.SILENT].threshold == 8
    assert "after 8 opening hours for every site" in words(app)
    app = press(app, "Back to the defaults")
    assert stored(database) == []
    app = press(app, "Undo")
    assert len(stored(database)) == 2


def test_false_alarms_of_many_sites_add_up_in_words(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        for name in ("A", "B", "C", "D"):
            add_camera(session, name)
    assert "At each site; with 4 sites, about one in 100 days altogether" in words(open_page(PAGE))


def test_a_site_can_have_a_rule_of_its_own(
    open_page: OpenPage, database: Database, site: int
) -> None:
    with database.write() as session:
        create_site(session, "Other", "UTC")
        save_rule(session, AlertRule(AlertKind.SILENT, None, 6.0))
    app = open_page(PAGE)
    app = app.selectbox(key="alert_rules_site").set_value(site).run()
    assert "Its own rule" not in words(app)
    app = app.number_input(key=key(AlertKind.SILENT, "hours", str(site))).set_value(9).run()
    rules = stored(database)
    assert rules_of(rules, site)[AlertKind.SILENT].threshold == 9
    assert rules_of(rules, None)[AlertKind.SILENT].threshold == 6
    assert "Its own rule" in words(app)
    app = press(app, "As for every site")
    assert rules_of(stored(database), site)[AlertKind.SILENT].threshold == 6


def test_what_another_tab_changed_meanwhile_stays(
    open_page: OpenPage, database: Database, site: int
) -> None:
    mine = AlertRule(AlertKind.SILENT, site, 9.0)
    with database.write() as session:
        create_site(session, "Other", "UTC")
        save_rule(session, mine)
    here = open_page(PAGE).selectbox(key="alert_rules_site").set_value(site).run()
    there = open_page(PAGE)
    there.selectbox(key=key(AlertKind.SUDDEN_DROP, "days")).set_value(100).run()
    theirs = AlertRule(AlertKind.SUDDEN_DROP, None, limit_for(100))
    here = press(here, "As for every site")
    assert stored(database) == [theirs]
    there.selectbox(key=key(AlertKind.UNKNOWN_SHARE, "days")).set_value(50).run()
    here = press(here, "Undo")
    assert set(stored(database)) == {
        mine,
        theirs,
        AlertRule(AlertKind.UNKNOWN_SHARE, None, limit_for(50)),
    }


@pytest.mark.usefixtures("site")
def test_undoing_the_defaults_leaves_what_another_tab_chose_since(
    open_page: OpenPage, database: Database
) -> None:
    before = AlertRule(AlertKind.SILENT, None, 9.0)
    with database.write() as session:
        save_rule(session, before)
    here, there = open_page(PAGE), open_page(PAGE)
    here = press(here, "Back to the defaults")
    there.selectbox(key=key(AlertKind.SUDDEN_DROP, "days")).set_value(100).run()
    press(here, "Undo")
    theirs = AlertRule(AlertKind.SUDDEN_DROP, None, limit_for(100))
    assert set(stored(database)) == {before, theirs}


@pytest.mark.usefixtures("site")
def test_two_tabs_that_change_the_same_rule_keep_both_changes(
    open_page: OpenPage, database: Database
) -> None:
    here, there = open_page(PAGE), open_page(PAGE)
    there.number_input(key=key(AlertKind.SILENT, "hours")).set_value(8).run()
    here.toggle(key=key(AlertKind.SILENT, "on")).set_value(False).run()
    assert stored(database) == [AlertRule(AlertKind.SILENT, None, 8.0, is_enabled=False)]
    here.toggle(key=key(AlertKind.SILENT, "on", times=1)).set_value(True).run()
    assert here.number_input(key=key(AlertKind.SILENT, "hours", times=1)).value == 8


@pytest.mark.usefixtures("site")
def test_a_limit_that_was_set_elsewhere_is_shown_as_it_is(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        save_rule(session, AlertRule(AlertKind.SUDDEN_DROP, None, 3.0))
    app = open_page(PAGE)
    assert app.selectbox(key=key(AlertKind.SUDDEN_DROP, "days")).value == 741
    assert stored(database) == [AlertRule(AlertKind.SUDDEN_DROP, None, 3.0)]


def test_targets_are_named(open_page: OpenPage, database: Database, site: int) -> None:
    with database.write() as session:
        set_target(session, site, 62.5)
    assert "Targets: Site of Entrance 62.5." in words(open_page(PAGE))
