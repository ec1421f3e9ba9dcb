import pytest

from analytics.scores import DEFAULT_SCORE
from db.engine import Database
from db.scores import active_score, save_score

SOFTER = (-1.0, -1.0, -1.0, 1.0, -0.5, 0.25, 0.0)


def test_the_default_is_in_force_until_another_is_saved(database: Database) -> None:
    with database.read() as session:
        assert active_score(session) == DEFAULT_SCORE


def test_new_weights_are_a_new_version(database: Database) -> None:
    with database.write() as session:
        saved = save_score(session, SOFTER)
    assert (saved.name, saved.version, saved.weights) == (
        DEFAULT_SCORE.name,
        DEFAULT_SCORE.version + 1,
        SOFTER,
    )
    with database.read() as session:
        assert active_score(session) == saved


def test_the_same_weights_are_not_a_new_version(database: Database) -> None:
    with database.write() as session:
        assert save_score(session, DEFAULT_SCORE.weights) == DEFAULT_SCORE
        first = save_score(session, SOFTER)
        assert save_score(session, SOFTER) == first


def test_going_back_is_a_version_too(database: Database) -> None:
    with database.write() as session:
        save_score(session, SOFTER)
        back = save_score(session, DEFAULT_SCORE.weights)
        assert back.version == DEFAULT_SCORE.version + 2
        assert active_score(session) == back


def test_another_name_counts_its_own_versions(database: Database) -> None:
    with database.write() as session:
        save_score(session, SOFTER)
        assert save_score(session, SOFTER, name="Delight").version == 1
        assert active_score(session).name == "Delight"


def test_weights_out_of_range_change_nothing(database: Database) -> None:
    with database.write() as session:
        with pytest.raises(ValueError, match="between -1 and 1"):
            save_score(session, [2.0] * 7)
        with pytest.raises(ValueError, match="7 weights"):
            save_score(session, [1.0] * 6)
        assert active_score(session) == DEFAULT_SCORE
