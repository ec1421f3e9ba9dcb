import pytest

from analytics.alert_rules import DEFAULT_RULES, AlertKind, AlertRule, rules_of

EVERYWHERE = AlertRule(AlertKind.SILENT, None, 6.0)
HERE = AlertRule(AlertKind.SILENT, 1, 12.0, is_enabled=False)


def test_without_rules_the_defaults_hold() -> None:
    assert rules_of([], 1) == dict(DEFAULT_RULES)


@pytest.mark.parametrize("rules", [[EVERYWHERE, HERE], [HERE, EVERYWHERE]])
def test_a_site_goes_by_its_own_rule_before_the_one_for_every_site(rules: list[AlertRule]) -> None:
    assert rules_of(rules, 1)[AlertKind.SILENT] == HERE
    assert rules_of(rules, 2)[AlertKind.SILENT] == EVERYWHERE
    assert rules_of(rules, None)[AlertKind.SILENT] == EVERYWHERE


def test_there_is_a_rule_for_every_kind() -> None:
    assert set(DEFAULT_RULES) == set(AlertKind)


@pytest.mark.parametrize(
    ("kind", "threshold"),
    [
        (AlertKind.BELOW_TARGET, 50.0),
        (AlertKind.SUDDEN_DROP, None),
        (AlertKind.SUDDEN_DROP, 0.5),
        (AlertKind.UNKNOWN_SHARE, 7.0),
        (AlertKind.SILENT, 0.0),
        (AlertKind.SILENT, float("nan")),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(
    kind: AlertKind, threshold: float | None
) -> None:
    with pytest.raises(ValueError, match="threshold"):
        AlertRule(kind, None, threshold)
