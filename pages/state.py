"""What every page shares: the open database, the footage store, and messages across a rerun."""

import threading
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import streamlit as st

from db.engine import Database, is_current, upgrade
from db.places import CameraRow, SiteRow, list_sites
from pages.trouble import NOT_DONE
from settings import settings

if TYPE_CHECKING:
    from jobs.store import FootageStore

_MESSAGE = "message"
_opening = threading.Lock()


def database() -> Database:
    """The process's database, created and migrated when it is first asked for."""
    return _database(settings().resolved_database_url)


@st.cache_resource(show_spinner="Opening the database …")
def _database(url: str) -> Database:
    # app.py migrates before it serves; this serves whoever opens a page without it.
    with _opening:
        if not is_current(url):
            upgrade(url)
    return Database(url)


def footage_store() -> "FootageStore":
    # Not for the first page to load.
    from jobs.store import FootageStore

    return FootageStore(settings().resolved_footage_url)


def sites() -> list[SiteRow]:
    """All sites with their cameras, by name; read anew in every run, so that changes show."""
    with database().read() as session:
        return list(list_sites(session))


@dataclass(frozen=True, slots=True)
class Place:
    """A camera with its site. ``label``: "Site / Camera", as every screen names it."""

    site: SiteRow
    camera: CameraRow

    @property
    def label(self) -> str:
        return f"{self.site.name} / {self.camera.name}"


def places(all_sites: Sequence[SiteRow]) -> list[Place]:
    return [Place(site, camera) for site in all_sites for camera in site.cameras]


def browser_zone() -> str | None:
    """The browser's time zone. None where it tells none that is known here: Chrome says
    Etc/Unknown where the system does not know its own."""
    zone = st.context.timezone
    return zone if zone in available_timezones() else None


def say_after_rerun(sentence: str, *, undone: str = "") -> None:
    """A message for the next run of whatever page: what was just done. ``undone``: a sentence on
    what could not be done yet."""
    st.session_state[_MESSAGE] = (sentence, undone)


def show_message() -> None:
    """Show what ``say_after_rerun`` left, once; and that something could not be done."""
    if st.session_state.pop(NOT_DONE, False):
        st.error(
            "That was not done: the database could not be reached. Try it again.",
            icon=":material/database_off:",
        )
    sentence, undone = st.session_state.pop(_MESSAGE, ("", ""))
    if undone:
        st.warning(f"{sentence} {undone}", icon=":material/warning:")
    elif sentence:
        st.success(sentence, icon=":material/check_circle:")


@cache
def app_version() -> str:
    """Satisface is run from its folder and never installed, so no package tells it."""
    with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
