"""The staff zones of one camera, drawn on a picture from it; on Settings by ?zones=ID."""

import base64
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

import streamlit as st

from db.places import CameraRow, PlaceError, SiteRow, StaffZones, list_sites, update_camera
from db.recording_rows import RecordingRow, list_recordings
from db.recordings import RecordingError, readable_again, retry_recording
from db.stills import footage_of
from fer_core.errors import SatisfaceError
from pages.format import counted, duration, escaped, moment
from pages.state import database, footage_store, say_after_rerun
from pages.trouble import ZONES_TO_SAVE
from settings import settings

if TYPE_CHECKING:
    from jobs.stills import Still

_ASSETS: Final = Path(__file__).parent / "assets" / "zones"
_editor = st.components.v2.component(
    "satisface_zones",
    html=(_ASSETS / "editor.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "editor.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "editor.js").read_text(encoding="utf-8"),
)

_RECORDINGS: Final = 20
_OWN_PICTURE: Final = "A picture of mine"
_BLANK: Final = "No picture"
_KINDS: Final = ["jpg", "jpeg", "png", "webp", "bmp"]


class Drawn(TypedDict):
    """What the board saves. ``revision``: of the stored zones that it began with."""

    zones: StaffZones
    revision: str


def zones_page(site: SiteRow, camera: CameraRow) -> None:
    st.button("All settings", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
    st.title(f"Staff zones of {escaped(site.name)} / {escaped(camera.name)}")
    st.markdown(
        "Draw a zone around each place where employees stand or sit. A face whose middle lies in "
        "a zone is left out before anything is read from it. Zones hold for footage that is read "
        "**from now on**; figures that are there already stay as they are."
    )
    with database().read() as session:
        recordings = list_recordings(
            session, camera_ids=[camera.id], with_footage=True, limit=_RECORDINGS
        )
        last = list_recordings(session, camera_ids=[camera.id], limit=1)
        again = readable_again(session, camera.id)
    picture = _choose_picture(recordings)
    shape = (last[0].width, last[0].height) if last else (16, 9)
    _draw(camera, picture, shape)
    if again:
        _read_again(again)


def _leave() -> None:
    del st.query_params["zones"]


def _choose_picture(recordings: list[RecordingRow]) -> "Still | None":
    """A picture to draw on, faces made mosaics; None for none."""
    source = st.segmented_control(
        "Draw on",
        [*(["A recording"] if recordings else []), _OWN_PICTURE, _BLANK],
        default="A recording" if recordings else _OWN_PICTURE,
        required=True,
        key="zones_source",
    )
    try:
        if source == "A recording":
            return _from_recording(recordings)
        if source == _OWN_PICTURE:
            return _from_upload()
    except FileNotFoundError:
        st.warning("This footage is not in the store any more. Choose another picture.")
    except SatisfaceError as error:
        st.warning(escaped(str(error)))
    return None


def _from_recording(recordings: list[RecordingRow]) -> "Still | None":
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = {
            row.id: f"{row.name} · {moment(row.captured_at, row.time_zone)}" for row in recordings
        }
        chosen = st.selectbox(
            "Recording",
            list(names),
            format_func=names.__getitem__,
            key="zones_recording",
            width=420,
        )
        row = next(row for row in recordings if row.id == chosen)
        seconds = 0
        if row.duration_ms > 2000:
            seconds = st.slider(
                "Moment",
                0,
                row.duration_ms // 1000 - 1,
                row.duration_ms // 2000,
                format="%d s",
                key=f"zones_moment_{row.id}",
                width=320,
                help=f"Seconds since it began; it lasts {duration(row.duration_ms)}",
            )
    return _frame(row.id, 1000 * int(seconds), row.created_at, row.finished_at)


@st.cache_data(show_spinner="Looking for a picture …", max_entries=30)
def _frame(
    recording_id: int,
    time_ms: int,
    added_at: datetime,  # noqa: ARG001  once a backup was restored, ids are given again
    read_at: datetime | None,  # noqa: ARG001  read anew, other faces are known
) -> "Still | None":
    from jobs.stills import stills  # decodes: not for the first page to load

    with database().read() as session:
        footage = footage_of(session, recording_id, around_ms=[time_ms])
    if footage is None:
        raise FileNotFoundError
    found = stills(
        footage_store(), footage.key, [time_ms], seen=footage.seen, limits=settings().footage_limits
    )
    return found[0] if found else None


def _from_upload() -> "Still | None":
    given = st.file_uploader(
        "A picture from this camera",
        type=_KINDS,
        key="zones_picture",
        help="Only to draw on: it is not stored, and not read.",
    )
    if given is None:
        st.caption("The picture is only drawn on: it is not stored, and not read.")
        return None
    return _hidden(given.getvalue(), given.name)


@st.cache_data(show_spinner=False, max_entries=4, ttl=600)
def _hidden(picture: bytes, name: str) -> "Still":
    from jobs.stills import hidden_picture

    return hidden_picture(picture, name, limits=settings().footage_limits)


def _draw(camera: CameraRow, picture: "Still | None", shape: tuple[int, int]) -> None:
    zones = [[list(point) for point in zone] for zone in camera.staff_zones]
    width, height = shape if picture is None else (picture.width, picture.height)
    key = f"zones_{camera.id}"

    def keep() -> None:
        st.session_state[ZONES_TO_SAVE] = (camera.id, st.session_state[key]["saved"])

    _editor(
        key=key,
        data={
            "zones": zones,
            # Others than the board began with are drawn on it, beside what it has that is new.
            "revision": revision(camera.staff_zones),
            "picture": None
            if picture is None
            else f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}",
            "width": width,
            "height": height,
        },
        on_saved_change=keep,
    )
    st.caption(
        "With the keyboard: Tab goes from corner to corner, the arrow keys move it (with Shift in "
        "large steps), Delete takes it away, Enter on a plus adds one, Ctrl+Z takes a change back."
    )
    camera_id, drawn = st.session_state.get(ZONES_TO_SAVE, (None, None))
    if camera_id == camera.id:
        save_zones(camera, drawn)


def revision(zones: StaffZones) -> str:
    """The same for the same zones."""
    plain = [[[float(value) for value in point] for point in zone] for zone in zones]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def save_zones(camera: CameraRow, drawn: Drawn) -> None:
    """Store what was drawn, and say so on the next run."""
    try:
        with database().write() as session:
            _refuse_an_old_board(list_sites(session), camera, drawn)
            update_camera(session, camera.id, staff_zones=drawn["zones"])
    except PlaceError as error:
        st.session_state.pop(ZONES_TO_SAVE, None)
        st.error(escaped(str(error)))
        return
    st.session_state.pop(ZONES_TO_SAVE, None)
    zones = counted(len(drawn["zones"]), "staff zone") if drawn["zones"] else "No staff zone"
    say_after_rerun(f"{zones} saved for {escaped(camera.name)}, for footage read from now on.")
    st.rerun()


def _refuse_an_old_board(sites: list[SiteRow], camera: CameraRow, drawn: Drawn) -> None:
    """Raises PlaceError where other zones were stored since the board began with them: all would
    be replaced, and employees who stand in a new one would be read again."""
    stored = [
        revision(one.staff_zones) for site in sites for one in site.cameras if one.id == camera.id
    ]
    # What is drawn is stored already where Save was pressed twice.
    if stored and stored[0] not in (drawn["revision"], revision(drawn["zones"])):
        raise PlaceError(
            "Your zones were not saved: others were saved meanwhile, perhaps in another tab. The "
            "board now shows those and yours. Look whether all are right, and save again."
        )


def _read_again(again: list[int]) -> None:
    with st.container(border=True):
        st.markdown(
            f"The footage of {counted(len(again), 'recording')} of this camera is still kept. "
            "Read again, their figures follow the zones as they are saved now."
        )
        if st.button(f"Read {counted(len(again), 'recording')} again", icon=":material/replay:"):
            queued = 0
            for recording_id in again:
                try:
                    with database().write() as session:
                        retry_recording(session, recording_id)
                    queued += 1
                except RecordingError:
                    continue  # gone, or queued by somebody else meanwhile
            say_after_rerun(f"{counted(queued, 'recording')} will be read again.")
            st.rerun()
