"""Every setting of Satisface, read from ``SATISFACE_*`` variables or a ``.env`` file."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an administrator can change without reading the source.

    Each field is set by the environment variable ``SATISFACE_<FIELD>``.
    """

    model_config = SettingsConfigDict(env_prefix="SATISFACE_", env_file=".env", extra="ignore")

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
        default=False, description="Keep footage after it was read instead of deleting it."
    )
    start_worker: bool = Field(
        default=True, description="Whether the dashboard starts a worker of its own."
    )
    worker_processes: int = Field(
        default=1, ge=1, description="Segments that one worker reads at the same time."
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
        default=1024, ge=1, description="Largest file that the Upload page takes, in megabytes."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def resolved_database_url(self) -> str:
        if self.database_url:
            return self.database_url
        from sqlalchemy import URL  # costly to load, and not needed before the database is

        file = str(self.home / "satisface.db")
        return URL.create("sqlite", database=file).render_as_string(hide_password=False)

    @property
    def resolved_footage_url(self) -> str:
        return self.footage_url or str(self.home / "footage")


@lru_cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
