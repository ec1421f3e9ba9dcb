"""How long faces, people and footage are kept: what it means, what it would delete, and the
setting itself."""

from typing import Final

import streamlit as st

from db.retention import KeptDays, RetentionError, count_due, keep_for, kept_days
from jobs.expiry import UNREAD_DAYS
from pages.format import counted, escaped
from pages.state import database, say_after_rerun
from pages.trouble import in_dialog
from settings import settings

_SHOWN: Final = "retention_shown"
"""Session state: the days that were stored when the form was last drawn."""


def retention_form() -> None:
    with database().read() as session:
        now = kept_days(session)
    is_new = st.session_state.get(_SHOWN, now) != now
    st.session_state[_SHOWN] = now
    st.subheader("How long rows are kept")
    st.markdown(
        "Counted from the day a recording was taken. Empty means for good. The sums of each hour "
        "are no data of persons and always stay, so no chart or report of hours and days changes."
    )
    with st.container(border=True):
        with st.grid(3, min_column_width=220):
            faces = _days(
                "faces",
                "Single faces, days",
                now.faces,
                "Where each face was in each picture and how it looked: for the download of rows.",
            )
            people = _days(
                "people",
                "People, days",
                now.people,
                "When each person was seen and how they looked: for the timeline of a recording. "
                "Their single faces go with them at the latest.",
            )
            footage = _days("footage", "Footage, days", now.footage, _footage_words())
        chosen = KeptDays(faces, people, footage)
        if st.button("Save", key="save_retention", type="primary", disabled=chosen == now):
            if is_new:
                st.info(
                    "These days were changed meanwhile, perhaps in another tab, and are shown as "
                    "they are now. See whether they fit, and save again."
                )
            else:
                _confirm(chosen, now)


def _footage_words() -> str:
    if settings().keep_footage:
        return "Photos and videos that are kept after reading (SATISFACE_KEEP_FOOTAGE)."
    return (
        "This installation deletes footage once it was read. What failed or was cancelled can be "
        f"read again for {UNREAD_DAYS} days."
    )


def _days(name: str, label: str, now: int | None, meaning: str) -> int | None:
    with st.container(gap="small"):
        days = st.number_input(
            label,
            min_value=1,
            max_value=36_500,
            value=now,
            step=1,
            placeholder="for good",
            # Where another was saved meanwhile, that shows: what is seen is what is saved.
            key=f"keep_{name}_{now}",
        )
        st.caption(meaning)
    return None if days is None else int(days)


@st.dialog("Keep rows for so long?")
@in_dialog
def _confirm(chosen: KeptDays, shown: KeptDays) -> None:
    """``shown``: what was stored when the days were chosen."""
    with database().read() as session:
        due = count_due(session, chosen)
    gone = [
        counted(number, *words)
        for number, words in (
            (due.faces, ("single face", "single faces")),
            (due.people, ("person", "people")),
            (due.footage, ("piece of footage", "pieces of footage")),
        )
        if number
    ]
    if gone:
        st.markdown(
            f"**{', '.join(gone)}** are older and will be deleted within minutes. "
            "This cannot be undone."
        )
    else:
        st.markdown("Nothing is older: nothing is deleted now.")
    st.markdown("From then on rows go by themselves when their time is up.")
    if st.button("Save and delete" if gone else "Save", type="primary", key="confirm_retention"):
        try:
            with database().write() as session:
                keep_for(session, chosen, shown=shown)
        except RetentionError as error:
            st.error(escaped(str(error)))
            return
        say_after_rerun("How long rows are kept was saved.")
        st.rerun()
