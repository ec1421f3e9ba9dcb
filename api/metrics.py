"""``/metrics``: the queue and the database, for Prometheus. What workers count of their own work
they answer themselves (jobs/metrics.py)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from db.engine import Database
from db.status import faces, queue, server
from jobs.condition import disk
from jobs.upload_pass import refusal
from settings import Settings


def refused(request: Request, settings: Settings) -> Response | None:
    """An answer for who may not see them; None for who may."""
    client = request.client.host if request.client else None
    if refusal(client, request.headers, proxy_signs_in=settings.metrics_to_others) is None:
        return None
    return PlainTextResponse("Metrics are given to this machine only.\n", 403)


def metrics(settings: Settings) -> Response:
    """One look at the database for each answer; nothing is kept."""
    registry = CollectorRegistry()
    registry.register(_Installation(settings, datetime.now(UTC)))
    return Response(
        generate_latest(registry),
        media_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


class _Installation(Collector):
    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        free = disk(self._settings)
        yield _gauge("disk_free_bytes", "Free on the disk of the home folder.", free.free)
        yield _gauge("disk_bytes", "Size of the disk of the home folder.", free.total)
        database = Database(self._settings.resolved_database_url)
        try:
            yield from [*self._of(database), _gauge("database_up", "Whether it answers.", 1)]
        except (SQLAlchemyError, OSError):
            yield _gauge("database_up", "Whether it answers.", 0)
        finally:
            database.close()

    def _of(self, database: Database) -> Iterable[Metric]:
        with database.read() as session:
            found = queue(session, self._now, self._settings.lease_seconds)
            kept = server(session)
            seen = faces(session)
        yield InfoMetricFamily(
            "satisface_database", "Its kind.", {"kind": kept.kind, "version": kept.version}
        )
        yield _gauge("database_bytes", "What the database takes on its disk.", kept.bytes)
        yield _gauge("segments_waiting", "Segments that wait to be read.", found.waiting)
        yield _gauge("segments_being_read", "Segments that are being read.", found.being_read)
        yield _gauge("stored_faces", "Faces in the hours that are stored.", seen)
        recordings = GaugeMetricFamily(
            "satisface_recordings", "Recordings, by state.", labels=["state"]
        )
        for state, number in found.recordings.items():
            recordings.add_metric([state.value], number)
        yield recordings
        waited = self._now - found.waiting_since if found.waiting_since else None
        yield _gauge(
            "oldest_waiting_seconds",
            "How long the oldest recording waits that nobody has begun.",
            waited.total_seconds() if waited else 0,
        )


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"satisface_{name}", meaning, value=value)
