"""What a worker counts of its work, for Prometheus. The rate of ``satisface_faces_total`` is the
faces a second; the dashboard's own ``/metrics`` tells of the queue (api/metrics.py)."""

import logging
from typing import Final

from prometheus_client import Counter, Histogram, start_http_server

from jobs.segment import Ending, SegmentOutcome

log = logging.getLogger(__name__)

DIED: Final = "died"
"""An ending beside those of ``Ending``: the process that read the segment died."""

_SEGMENTS = Counter("satisface_segments", "Segments handed out, by how it ended.", ["ending"])
_SECONDS = Histogram(
    "satisface_segment_seconds",
    "Time that a segment took which was read to its end.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)
_FRAMES = Counter("satisface_frames", "Frames looked at, in segments read to their end.")
_FACES = Counter("satisface_faces", "Faces found, in segments read to their end.")

for _ending in (*Ending, DIED):
    _SEGMENTS.labels(str(_ending))  # so that none is missing before it first happens


def count(outcome: SegmentOutcome) -> None:
    _SEGMENTS.labels(str(outcome.ending)).inc()
    if outcome.ending is Ending.DONE:
        _SECONDS.observe(outcome.seconds)
        _FRAMES.inc(outcome.frames)
        _FACES.inc(outcome.faces)


def count_death() -> None:
    _SEGMENTS.labels(DIED).inc()


def serve(port: int, *, to_others: bool) -> None:
    """Answer on ``port`` from a thread of its own. A port that is taken is told to the log: a
    worker that is not counted is better than none."""
    try:
        start_http_server(port, addr="0.0.0.0" if to_others else "127.0.0.1")  # noqa: S104
    except OSError as error:
        log.error("port=%d metrics cannot be served: %s", port, error)
