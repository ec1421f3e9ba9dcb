"""Upload: footage comes in, and one sees it being read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import streamlit as st

from pages.format import CAPTURED_FROM, counted, duration, escaped, fate_of_footage, listed
from pages.place_forms import NEW_CAMERA, camera_form, first_place_form
from pages.reading import being_read
from pages.state import Place, database, footage_store, places, sites
from pages.uploader import uploader, uploads
from settings import settings

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from jobs.intake import Inspected, Outcome
    from jobs.uploads import Upload

# Session state: what each upload was found to be; what is being taken in; what came of the last
# ones, and the recordings they made; capture times entered by hand, by upload.
_LOOKED_AT = "upload_looked_at"
_TAKING_IN = "upload_taking_in"
_OUTCOMES = "upload_outcomes"
_RECENT = "upload_recent"
_ENTERED = "upload_entered"
# And the table of capture times as it was drawn last.
_TABLE = "upload_table"
_TAKEN_AT = "Taken at"

_LAW = """- Tell people. Put up signs at the entrance: that footage is read by software for facial
  expressions, why, for how long, and who answers questions.
- Do not point it at employees. In the European Union, reading the emotions of people at work is
  forbidden; keep tills and counters out of view.
- Ask your data protection officer first; in many places an impact assessment is due beforehand.

`docs/privacy.md` says more. This is no legal advice."""


@dataclass(slots=True)
class _TakingIn:
    """``ids``: uploads that are still to be taken in, of ``total``. It outlives a run of the
    page, since whatever the uploader tells begins a new one; ``in_hand`` is held by the run that
    has a file in hand, as the next one begins before that is ready."""

    ids: list[str]
    total: int
    camera_id: int
    in_hand: Lock = field(default_factory=Lock)


@dataclass(frozen=True, slots=True)
class _Table:
    """``told``: what each upload tells of its time, by id, in the order of the rows."""

    key: str
    rows: "pd.DataFrame"
    told: dict[str, datetime | None]


def page() -> None:
    st.title("Upload")
    all_sites = sites()
    everywhere = places(all_sites)
    if not everywhere:
        if all_sites:
            st.markdown("The footage needs a camera that it belongs to.")
            camera_form(all_sites, key="first_camera")
        else:
            first_place_form()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = _choose_camera(everywhere)
        with st.popover("Add a camera", icon=":material/add:"):
            camera_form(all_sites, key="upload_camera_form")
    given = uploader(place.camera.id)
    st.caption(
        f"Footage stays in your own installation and is {fate_of_footage(settings())}. No face is "
        "cut out and stored, and no identity."
    )
    with st.expander("Before you film: the law in short", icon=":material/gavel:"):
        st.markdown(_LAW)
    if given.files:
        _review(given.files, place, more_to_come=given.more_to_come)
    taking_in: _TakingIn | None = st.session_state.get(_TAKING_IN)
    if taking_in is not None:
        _take_in(taking_in)
    _show_outcomes()
    being_read(st.session_state.get(_RECENT, ()))


def _choose_camera(everywhere: Sequence[Place]) -> Place:
    by_id = {place.camera.id: place for place in everywhere}
    added = st.session_state.pop(NEW_CAMERA, None)
    if added in by_id:
        st.session_state["upload_camera"] = added
    if st.session_state.get("upload_camera") not in by_id:
        st.session_state.pop("upload_camera", None)
    chosen = st.selectbox(
        "Camera that took the footage",
        list(by_id),
        format_func=lambda camera_id: by_id[camera_id].label,
        key="upload_camera",
        persist_state="session",
        width=420,
    )
    return by_id[chosen]


def _review(files: "Sequence[Upload]", place: Place, *, more_to_come: bool) -> None:
    """What the files are and when they were taken, to be corrected before reading starts."""
    looked_at = [_look_at(file) for file in files]
    problems = [found.problem for members in looked_at for found in members if found.problem]
    zone = ZoneInfo(place.site.time_zone)
    st.subheader("What is in so far" if more_to_come else "What you chose")
    shown = _table(files, looked_at, zone)
    empty = [
        members[0]
        for when, members in zip(shown, looked_at, strict=True)
        if when is None and len(members) == 1 and not members[0].problem
    ]
    if any(found.captured is None for found in empty):
        st.info(
            "Some files do not tell when they were taken. Enter it under “Taken at”; otherwise "
            "they count as taken now."
        )
    if any(found.captured is not None for found in empty):
        st.info(
            "Where “Taken at” was emptied, the time that the file tells still counts. If that is "
            "wrong, enter the right one in its place."
        )
    if problems:
        st.warning(
            f"{counted(len(problems), 'file')} cannot be read; the others are:\n\n"
            + "\n".join(f"- {escaped(problem)}" for problem in problems)
        )
    st.button(
        f"Read the {counted(len(files), 'file')} that {'is' if len(files) == 1 else 'are'} in"
        if more_to_come
        else "Start reading",
        key="start_reading",
        type="secondary" if more_to_come else "primary",
        icon=":material/play_arrow:",
        disabled=_TAKING_IN in st.session_state
        or all(found.problem for members in looked_at for found in members),
        # Not below: what the uploader tells meanwhile may end this run before it comes that far.
        on_click=_begin_taking_in,
        args=([file.id for file in files], place.camera.id),
    )


def _begin_taking_in(ids: Sequence[str], camera_id: int) -> None:
    if _TAKING_IN in st.session_state:
        return
    st.session_state[_OUTCOMES] = []
    st.session_state[_RECENT] = []
    st.session_state[_TAKING_IN] = _TakingIn(list(ids), len(ids), camera_id)


def _look_at(file: "Upload") -> "tuple[Inspected, ...]":
    cache: dict[str, tuple[Inspected, ...]] = st.session_state.setdefault(_LOOKED_AT, {})
    if file.id not in cache:
        # Decoders are loaded here, not when the page opens.
        from jobs.intake import inspect

        with st.spinner(f"Looking at {escaped(file.name)} …"):
            cache[file.id] = inspect(file.path, file.name)
    return cache[file.id]


def _table(
    files: "Sequence[Upload]", looked_at: "list[tuple[Inspected, ...]]", zone: ZoneInfo
) -> list[datetime | None]:
    """The editable table, which keeps the times that are entered by hand. Returns the times as
    shown, by row. All are on the site's clock."""
    import pandas as pd  # not before there is a table: what arrives meanwhile needs little memory

    entered: dict[str, datetime] = st.session_state.setdefault(_ENTERED, {})
    told = {file.id: _told(members, zone) for file, members in zip(files, looked_at, strict=True)}
    key = f"taken_{hash((zone.key, *told))}"
    table: _Table | None = st.session_state.get(_TABLE)
    # The editor keeps its edits by row, and while it is shown: a new list of files, or the same
    # after another page, begins with what was entered.
    if table is None or table.key != key or key not in st.session_state:
        rows = pd.DataFrame(
            {
                "File": [file.name for file in files],
                "Holds": [_holds(members) for members in looked_at],
                _TAKEN_AT: pd.to_datetime(
                    pd.Series([entered.get(i, when) for i, (when, _) in told.items()])
                ),
                "As known": [source for _, source in told.values()],
            }
        )
        table = _Table(key, rows, {file_id: when for file_id, (when, _) in told.items()})
        st.session_state[_TABLE] = table
    edited = st.data_editor(
        table.rows,
        key=key,
        on_change=_keep_entered,
        args=(table,),
        hide_index=True,
        disabled=["File", "Holds", "As known"],
        placeholder="not known",
        alt="The chosen files and when they were taken",
        column_config={
            _TAKEN_AT: st.column_config.DatetimeColumn(
                f"Taken at ({zone.key.replace('_', ' ')})",
                format="DD MMM YYYY, HH:mm:ss",
                step=1,
            ),
            "As known": st.column_config.TextColumn("As known"),
        },
    )
    return [
        None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()
        for value in edited[_TAKEN_AT]
    ]


def _keep_entered(table: _Table) -> None:
    """Keep the times that are other than what the files tell. Called before the page is drawn: the
    run that is told of them may be told of another file as well, or end before it comes that far.
    """
    import pandas as pd

    entered: dict[str, datetime] = st.session_state.setdefault(_ENTERED, {})
    told = list(table.told.items())
    edits: dict[int, dict[str, str | None]] = st.session_state[table.key]["edited_rows"]
    for row, cells in edits.items():
        if _TAKEN_AT not in cells:
            continue
        file_id, when = told[row]
        at = pd.to_datetime(cells[_TAKEN_AT] or "", errors="coerce")
        if isinstance(at, pd.Timestamp) and at != when:
            entered[file_id] = at.to_pydatetime()
        else:
            entered.pop(file_id, None)


def _told(members: "Sequence[Inspected]", zone: ZoneInfo) -> tuple[datetime | None, str]:
    """When the file says it was taken, on the site's clock, and where it says so."""
    if len(members) != 1:
        return None, "each file's own, where it tells"
    found = members[0]
    if found.problem:
        return None, "cannot be read"
    if found.captured is None:
        return None, CAPTURED_FROM["upload"]
    at = found.captured.at
    local = at.astimezone(zone).replace(tzinfo=None) if at.tzinfo else at
    return local.replace(microsecond=0), CAPTURED_FROM[found.captured.source.value]


def _holds(members: "Sequence[Inspected]") -> str:
    """ "Video, 1 min 3 s"; for a zip "3 photos and 1 video"."""
    if len(members) == 1:
        found = members[0]
        if found.kind is None:
            return "nothing that can be read"
        if found.kind.value == "video":
            return f"Video, {duration(found.duration_ms or 0)}"
        return "Photo"
    kinds = Counter("unreadable" if f.kind is None else f.kind.value for f in members)
    words = [
        counted(kinds["picture"], "photo") if kinds["picture"] else "",
        counted(kinds["video"], "video") if kinds["video"] else "",
        counted(kinds["unreadable"], "unreadable file") if kinds["unreadable"] else "",
    ]
    return listed(word for word in words if word) or "nothing"


def _take_in(taking_in: _TakingIn) -> None:
    bar = st.progress(0.0, text="Taking in …")
    while _take_in_next(taking_in, bar):
        pass
    bar.progress(1.0, text="All are in.")
    for key in (_TAKING_IN, _TABLE):
        st.session_state.pop(key, None)
    st.rerun()


def _take_in_next(taking_in: _TakingIn, bar: "DeltaGenerator") -> bool:
    """False where none is left. Whatever touches the page or the session state may end this run;
    the next one goes on. So what belongs to one file is done without, in lists and dicts of the
    session state."""
    from jobs.intake import Accepted, Refused, admit

    outcomes: list[Outcome] = st.session_state.setdefault(_OUTCOMES, [])
    recent: list[int] = st.session_state.setdefault(_RECENT, [])
    looked_at: dict[str, tuple[Inspected, ...]] = st.session_state.setdefault(_LOOKED_AT, {})
    entered: dict[str, datetime] = st.session_state.setdefault(_ENTERED, {})
    base, store, kept = database(), footage_store(), uploads()
    with taking_in.in_hand:
        if not taking_in.ids:
            return False
        number = taking_in.total - len(taking_in.ids)
        file = kept.find(taking_in.ids[0])
        if file is not None:
            bar.progress(
                number / taking_in.total,
                text=f"Taking in {escaped(file.name)} ({number + 1} of {taking_in.total}). "
                "Please stay on this page until all are in.",
            )
        taking_in.ids.pop(0)
        if file is None:  # removed meanwhile
            return True
        of_file = list(
            admit(
                base,
                store,
                settings(),
                path=file.path,
                name=file.name,
                camera_id=taking_in.camera_id,
                captured_at=entered.get(file.id),
                sha256=file.sha256,
                is_ours=True,
            )
        )
        outcomes += of_file
        recent += [o.recording_id for o in of_file if isinstance(o, Accepted)]
        # Nobody sends it again because the disk was full for a moment.
        if not any(isinstance(outcome, Refused) and outcome.may_pass for outcome in of_file):
            kept.remove(file.id)
            entered.pop(file.id, None)
        looked_at.pop(file.id, None)
    return True


def _show_outcomes() -> None:
    outcomes: list[Outcome] = st.session_state.get(_OUTCOMES, [])
    if not outcomes:
        return
    from jobs.intake import Accepted, Duplicate, Refused

    accepted = [o for o in outcomes if isinstance(o, Accepted)]
    duplicates = [o for o in outcomes if isinstance(o, Duplicate)]
    refused = [o for o in outcomes if isinstance(o, Refused)]
    if accepted:
        sentences = [o.sentence for o in accepted if o.also_at]
        st.success(_list(f"{counted(len(accepted), 'file')} taken in.", sentences))
    if duplicates:
        st.info(
            _list(
                f"{counted(len(duplicates), 'file')} already there, not taken in again.",
                [o.sentence for o in duplicates],
            )
        )
    if refused:
        st.error(
            _list(
                f"{counted(len(refused), 'file')} could not be taken in.",
                [o.sentence for o in refused],
            )
        )
    if st.button("Hide this", type="tertiary"):
        st.session_state.pop(_OUTCOMES)
        st.rerun()


def _list(head: str, sentences: Iterable[str]) -> str:
    return "\n".join([f"**{head}**", "", *(f"- {escaped(s)}" for s in sentences)])


if __name__ == "__main__":
    page()
