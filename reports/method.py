"""How the figures of a report were measured, and what they cannot say."""

from analytics.scores import ScoreDefinition
from fer_core.types import EXPRESSIONS
from reports.content import ReportContent
from reports.words import people_words


def method(content: ReportContent) -> list[tuple[str, str]]:
    """Paragraphs as (lead, text)."""
    score = content.score
    by_weight: dict[float, list[str]] = {}
    for expression, weight in zip(EXPRESSIONS, score.weights, strict=True):
        by_weight.setdefault(weight, []).append(expression)
    weights = "; ".join(
        f"{', '.join(by_weight[weight])} {_signed(weight)}"
        for weight in sorted(by_weight, reverse=True)
    )
    paragraphs = {
        "What the index says.": f"It runs {index_ends(score)}: {_middle(score)}. "
        "Negative means angry, disgust, fear or sad. Weights "
        f"({score.label}): {weights}. They apply to each person's mean probabilities; the index "
        "is the mean over people.",
        "What it cannot say.": "A facial expression, as a computer model reads it, is not a "
        "feeling and not an opinion of the store. Models err, and not equally for all people. "
        "Compare like with like: the same cameras, the same hours.",
        "Who is counted.": "A person is one unbroken appearance before one camera. Nobody is "
        "recognised: who passes two cameras, or comes back, counts again. Faces too small, "
        "blurred, turned or unsure are counted as not read and left out of index and shares.",
        "How sure it is.": "Intervals hold the chance of who happened to pass (95%, people as the "
        "unit), not the model's errors. Figures from fewer than "
        f"{people_words(content.minimum_people)} are withheld. Times are the sites' own.",
    }
    return list(paragraphs.items())


def index_ends(score: ScoreDefinition) -> str:
    """Between which values these weights let an index lie: ``from 0 to 100``."""
    return f"from {_tenths(score.lowest)} to {_tenths(score.highest)}"


def index_when_neutral(score: ScoreDefinition) -> str:
    """The index of faces that are all neutral: ``50``."""
    return _tenths(50 * (1 + _weight(score, "neutral")))


def _middle(score: ScoreDefinition) -> str:
    neutral = _weight(score, "neutral")
    words = f"{index_when_neutral(score)} when faces are neutral"
    # Looks that balance each other weigh nothing together.
    if neutral == 0:
        words += " or balanced"
    if _weight(score, "happy") > neutral:
        words += ", higher when more look happy"
    return words


def _weight(score: ScoreDefinition, expression: str) -> float:
    return score.weights[EXPRESSIONS.index(expression)]


def _tenths(value: float) -> str:
    return f"{round(value, 1):g}"


def _signed(weight: float) -> str:
    return "0" if weight == 0 else f"{weight:+g}".replace("-", "−")
