"""What is watched for: kinds of alerts, and the rules that switch them on and set their bounds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from types import MappingProxyType
from typing import Final


class AlertKind(StrEnum):
    """What an alert rule watches for; its ``threshold`` is read accordingly.

    ``below_target``: an index surely under its site's target (no threshold).
    ``sudden_drop``: a control chart on the daily index (threshold: its limit, in standard
    deviations). ``silent``: a camera without people (threshold: opening hours).
    ``unknown_share``: unusually many people who could not be read (threshold: the limit of a
    control chart, in standard deviations).
    """

    BELOW_TARGET = "below_target"
    SUDDEN_DROP = "sudden_drop"
    SILENT = "silent"
    UNKNOWN_SHARE = "unknown_share"


CHARTED: Final = (AlertKind.SUDDEN_DROP, AlertKind.UNKNOWN_SHARE)
"""The kinds whose threshold is a control chart's limit."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """``site_id``: None means every site that has no rule of its own for this kind.

    Raises ValueError on a threshold that its kind cannot have: charts take limits from 1 to 6,
    silent cameras from 1 to 168 hours, the target none.
    """

    kind: AlertKind
    site_id: int | None
    threshold: float | None
    is_enabled: bool = True

    def __post_init__(self) -> None:
        if self.kind is AlertKind.BELOW_TARGET:
            if self.threshold is not None:
                raise ValueError("the target itself is the bound: this alert has no threshold")
            return
        lowest, highest = (1.0, 6.0) if self.kind in CHARTED else (1.0, 168.0)
        if self.threshold is None or not lowest <= self.threshold <= highest:
            raise ValueError(f"the threshold lies between {lowest:g} and {highest:g}")


def days_between_false_alarms(limit: float) -> float:
    """How many ordinary days lie on average between two that pass a chart's ``limit`` (in
    standard deviations, on one side): 1 / Phi(-limit)."""
    return 1 / NormalDist().cdf(-limit)


def limit_for(days: float) -> float:
    """The limit that one in ``days`` ordinary days passes on one side: -Phi^-1(1 / days)."""
    return -NormalDist().inv_cdf(1 / days)


DEFAULT_RULES: Final[Mapping[AlertKind, AlertRule]] = MappingProxyType(
    {
        rule.kind: rule
        for rule in (
            AlertRule(AlertKind.BELOW_TARGET, None, None),
            # About one false alarm a year for each place that is watched.
            AlertRule(AlertKind.SUDDEN_DROP, None, limit_for(400)),
            AlertRule(AlertKind.SILENT, None, 4.0),
            AlertRule(AlertKind.UNKNOWN_SHARE, None, limit_for(400)),
        )
    }
)
"""In force where nothing else was chosen."""


def rules_of(rules: Iterable[AlertRule], site_id: int | None) -> dict[AlertKind, AlertRule]:
    """The rule of each kind that holds for a site (None: for sites without their own): its own,
    else the one for every site, else the default."""
    held = dict(DEFAULT_RULES)
    ordered = sorted(rules, key=lambda rule: rule.site_id is not None)
    held.update({rule.kind: rule for rule in ordered if rule.site_id in (None, site_id)})
    return held
