import pytest

from analytics.scores import DEFAULT_SCORE
from db.engine import Database
from db.scores import SavedScore, activate_score, active_score, list_scores, save_score
from tests.unit.db.made_rows import NOON

SOFTER = (-1.0, -1.0, -1.0, 1.0, -0.5, 0.25, 0.0)
HARDER = (-1.0, -1.0, -1.0, 1.0, -1.0, 0.0, -0.25)


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


def test_weights_of_an_earlier_version_are_that_version_again(database: Database) -> None:
    with database.write() as session:
        softer = save_score(session, SOFTER)
        assert save_score(session, DEFAULT_SCORE.weights) == DEFAULT_SCORE
        assert active_score(session) == DEFAULT_SCORE
        assert save_score(session, SOFTER) == softer
        assert save_score(session, HARDER).version == softer.version + 1
        assert active_score(session).weights == HARDER


def test_every_version_stays_and_can_be_put_in_force_again(database: Database) -> None:
    with database.write() as session:
        softer = save_score(session, SOFTER, now=NOON)
        harder = save_score(session, HARDER, now=NOON)
    with database.read() as session:
        assert list_scores(session) == [
            SavedScore(DEFAULT_SCORE, False, None),
            SavedScore(softer, False, NOON),
            SavedScore(harder, True, NOON),
        ]
    with database.write() as session:
        activate_score(session, softer.name, softer.version)
        assert active_score(session) == softer
        activate_score(session, DEFAULT_SCORE.name, DEFAULT_SCORE.version)
        assert active_score(session) == DEFAULT_SCORE
        assert [each.is_active for each in list_scores(session)] == [True, False, False]


def test_a_score_that_was_never_saved_is_not_put_in_force(database: Database) -> None:
    with database.write() as session:
        softer = save_score(session, SOFTER)
        with pytest.raises(ValueError, match="no score"):
            activate_score(session, softer.name, softer.version + 1)
        assert active_score(session) == softer


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_score_needs_a_name(database: Database, name: str) -> None:
    with database.write() as session, pytest.raises(ValueError, match="name"):
        save_score(session, SOFTER, name=name)


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
