"""Every setting of Satisface, read from ``SATISFACE_*`` variables or a ``.env`` file."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from fer_core.limits import FootageLimits

_HERE: Final = Path(__file__).absolute().parent
"""The folder of app.py."""


class Settings(BaseSettings):
    """What an administrator can change without reading the source.

    Each field is set by the environment variable ``SATISFACE_<FIELD>``, be it empty, or where there
    is none by a line of ``.env`` beside app.py. Relative paths count from that folder, wherever a
    program was started.
    """

    model_config = SettingsConfigDict(
        env_prefix="SATISFACE_", env_file=_HERE / ".env", extra="ignore"
    )

    home: Path = Field(
        default=Path("var"),
        description="Folder of the embedded database, the footage store and unfinished uploads.",
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy address of the database; empty means SQLite in the home folder.",
    )
    footage_url: str = Field(
        default="",
        description="Folder or fsspec address that keeps footage until it is read; "
        "empty means a folder inside the home folder.",
    )
    keep_footage: bool = Field(
        default=False,
        description="Keep footage after it was read instead of deleting it. The same for every "
        "program of an installation: one that has it off deletes what the others kept.",
    )
    start_worker: bool = Field(
        default=True, description="Whether the dashboard starts a worker of its own."
    )
    worker_processes: int = Field(
        default=1, ge=1, description="Segments that one worker reads at the same time."
    )
    scheduler_address: str = Field(
        default="",
        description="Dask scheduler, such as tcp://host:8786, whose workers read the segments; "
        "empty means processes on this machine.",
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a segment stays with a worker that gives no sign of life.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        description="How often reading a segment may go wrong before its recording fails.",
    )
    segment_seconds: int = Field(
        default=300, ge=1, description="Length of the stretches that a recording is cut into."
    )
    sample_rate: float = Field(
        default=5.0, gt=0, le=60, description="Frames read from each second of video."
    )
    minimum_people: int = Field(
        default=10, ge=1, description="Figures from fewer people than this are withheld."
    )
    max_upload_mb: int = Field(
        default=100_000, ge=1, description="Largest file that the Upload page takes, in megabytes."
    )
    proxy_signs_in: bool = Field(
        default=False,
        description="Whether everybody comes through a proxy that signs people in: uploads are "
        "then taken from other machines, too.",
    )
    watch_folder: str = Field(
        default="",
        description="Folder whose files the dashboard's worker takes in; empty means none.",
    )
    watch_pattern: str = Field(
        default="{site}/{camera}/**",
        description="What the path of a file in the watched folder tells: `{site}`, `{camera}`, "
        "`{year}`, `{month}`, `{day}`, `{hour}`, `{minute}`, `{second}`, `*`, `**`.",
    )
    watch_settle_seconds: float = Field(
        default=30.0,
        ge=0,
        description="How long a file in the watched folder must not have changed to be taken in.",
    )
    watch_delete_done: bool = Field(
        default=False,
        description="Delete files of the watched folder that were taken in, instead of moving "
        "them to its folder `done`.",
    )

    max_picture_megapixels: int = Field(
        default=100, ge=1, le=178, description="Largest picture that is read."
    )
    max_video_hours: float = Field(default=24.0, gt=0, description="Longest video that is read.")
    max_zip_files: int = Field(default=10_000, ge=1, description="Most files that a zip may hold.")
    max_zip_gb: float = Field(
        default=50.0, gt=0, description="Most gigabytes that a zip may unpack to."
    )
    smallest_face_in_video: float = Field(
        default=48.0,
        ge=16,
        description="Height in pixels of the smallest face that must be found in each frame of a "
        "large video; 24 suits cameras far away, and takes longer.",
    )

    log_format: Literal["text", "json"] = Field(
        default="text", description="Form of log lines, one for each event: text or json."
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port on which a worker answers Prometheus; 0 means it does not.",
    )
    metrics_to_others: bool = Field(
        default=False,
        description="Whether the metrics of dashboard and workers are given to other machines.",
    )
    reports_folder: str = Field(
        default="",
        description="Folder that scheduled reports are left in; empty means reports inside the "
        "home folder.",
    )
    smtp_host: str = Field(
        default="", description="Mail server that sends scheduled reports; empty means no mail."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection to it is encrypted: starttls (port 587), tls (port 465) "
        "or none.",
    )
    smtp_user: str = Field(default="", description="User name there; empty means no login.")
    smtp_password: str = Field(
        default="", repr=False, description="The password that goes with it."
    )
    smtp_from: str = Field(default="", description="Address that the mails come from.")

    @field_validator("home")
    @classmethod
    def _from_here(cls, value: Path) -> Path:
        return _HERE / value.expanduser()

    @field_validator("footage_url", "reports_folder", "watch_folder")
    @classmethod
    def _folder_from_here(cls, value: str) -> str:
        is_folder = value and "://" not in value
        return str(_HERE / Path(value).expanduser()) if is_folder else value

    @property
    def resolved_database_url(self) -> str:
        if self.database_url and not self.database_url.startswith("sqlite"):
            return self.database_url
        if not self.database_url:
            return sqlite_url(self.home / "satisface.db")
        from sqlalchemy import make_url  # costly to load; not needed before the database is

        address = make_url(self.database_url)
        file = address.database
        if not file or ":" in file:  # file:..., a drive, :memory:
            return self.database_url
        return address.set(database=str(_HERE / file)).render_as_string(hide_password=False)

    @property
    def footage_limits(self) -> "FootageLimits":
        from fer_core.limits import FootageLimits

        return FootageLimits(
            picture_pixels=self.max_picture_megapixels * 1_000_000,
            duration_ms=round(self.max_video_hours * 3_600_000),
            archive_entries=self.max_zip_files,
            archive_bytes=round(self.max_zip_gb * 1e9),
        )

    @property
    def resolved_reports_folder(self) -> Path:
        return Path(self.reports_folder) if self.reports_folder else self.home / "reports"

    @property
    def resolved_footage_url(self) -> str:
        return self.footage_url or str(self.home / "footage")


def sqlite_url(file: Path) -> str:
    """The address of a database in ``file``, whatever its folders are called."""
    from sqlalchemy import URL  # costly to load; not needed before the database is

    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


@lru_cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
