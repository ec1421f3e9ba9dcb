"""Keys of programs in Settings: what each opens, a new one that is shown once, one revoked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import streamlit as st

from db.keys import ApiKeyError, ApiKeyRow, Scope, create_key, list_keys, revoke_key
from db.places import SiteRow
from pages.format import ago, escaped, listed
from pages.state import database, say_after_rerun, show_message
from pages.trouble import callback, in_dialog

# Session state: the key that is shown this once, why none was made, and what was entered.
_SHOWN: Final = "api_key_shown"
_PROBLEM: Final = "api_key_problem"
_NAME: Final = "api_key_name"
_MAY: Final = "api_key_scopes"
_SITES: Final = "api_key_sites"
_LIFETIME: Final = "api_key_lifetime"
_SCOPES: Final = {
    Scope.READ: "Read figures",
    Scope.ROWS: "Read single faces and people",
    Scope.UPLOAD: "Give footage",
}
_LIFETIMES: Final = {"90 days": 90, "One year": 365, "Never": None}


def api_keys(all_sites: Sequence[SiteRow]) -> None:
    st.subheader("Keys for programs")
    st.caption(
        "A program that brings a key can give footage and read results over the HTTP API, also "
        "from other machines: docs/operations.md."
    )
    now = datetime.now(UTC)
    with database().read() as session:
        keys = list_keys(session)
    names = {site.id: site.name for site in all_sites}
    in_force = [key for key in keys if key.refusal(now) is None]
    past = [key for key in keys if key.refusal(now) is not None]
    for key in in_force:
        with st.container(border=True):
            _one(key, names, now)
    if past:
        with st.expander(f"No longer in force ({len(past)})"):
            for key in past:
                st.markdown(f"**{escaped(key.name)}** · {escaped(key.refusal(now) or '')}")
    if st.button("New key", icon=":material/key:", key="new_api_key"):
        st.session_state.pop(_SHOWN, None)
        _new(all_sites)


def _one(key: ApiKeyRow, names: dict[int, str], now: datetime) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.markdown(f"**{escaped(key.name)}**  \n:small[{escaped(_about(key, names, now))}]")
        about = f"Revoke {escaped(key.name)}"
        if st.button("Revoke", key=f"revoke_api_key_{key.id}", help=about):
            _revoke(key)


def _about(key: ApiKeyRow, names: dict[int, str], now: datetime) -> str:
    facts = [
        f"{key.hint}…",
        listed(_SCOPES[scope].lower() for scope in Scope if scope in key.scopes),
    ]
    if key.site_ids is not None:
        facts.append(
            listed(sorted(names[one] for one in key.site_ids if one in names))
            or "its sites are gone"
        )
    facts.append(f"used {ago(key.last_used_at, now)}" if key.last_used_at else "not used yet")
    if key.expires_at is not None:
        facts.append(f"until {key.expires_at:%d %B %Y}")
    return " · ".join(facts)


# Closing draws the page anew, too: a key that was made then stands in the list.
@st.dialog("New key for a program", on_dismiss="rerun")
@in_dialog
def _new(all_sites: Sequence[SiteRow]) -> None:
    shown = st.session_state.get(_SHOWN)
    if shown is not None:
        _show_once(shown)
        return
    st.text_input(
        "What it is for", max_chars=100, placeholder="Recorder at the entrance", key=_NAME
    )
    st.multiselect(
        "What it may do",
        list(_SCOPES),
        [Scope.READ],
        format_func=_SCOPES.__getitem__,
        key=_MAY,
    )
    names = {site.id: site.name for site in all_sites}
    st.multiselect(
        "Sites", list(names), format_func=names.__getitem__, placeholder="All sites", key=_SITES
    )
    st.selectbox("Expires after", list(_LIFETIMES), index=1, key=_LIFETIME)
    # By a callback: the dialog is then drawn anew with the key alone, nothing of the form left.
    st.button("Make the key", type="primary", key="make_api_key", on_click=_make)
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(escaped(problem))
    show_message()  # that it was not done: the page behind is not drawn


@callback
def _make() -> None:
    entered = st.session_state
    now = datetime.now(UTC)
    days = _LIFETIMES[str(entered[_LIFETIME])]
    try:
        with database().write() as session:
            key, _ = create_key(
                session,
                entered[_NAME],
                entered[_MAY],
                site_ids=entered[_SITES] or None,
                expires_at=now + timedelta(days=days) if days else None,
                now=now,
            )
    except ApiKeyError as error:
        entered[_PROBLEM] = str(error)
        return
    entered[_SHOWN] = key  # once it is stored


def _show_once(key: str) -> None:
    st.markdown("This is the key. **It is not shown again**: copy it now.")
    st.code(key, language=None, wrap_lines=True)
    if st.button("Done", type="primary", key="api_key_copied"):
        st.session_state.pop(_SHOWN, None)
        say_after_rerun("The key was made.")
        st.rerun()


@st.dialog("Revoke this key?")
@in_dialog
def _revoke(key: ApiKeyRow) -> None:
    st.markdown(
        f"Programs that bring **{escaped(key.name)}** ({escaped(key.hint)}…) are refused at once. "
        "This cannot be undone."
    )
    if st.button("Revoke", type="primary", key="confirm_revoke_api_key"):
        with database().write() as session:
            revoke_key(session, key.id)
        say_after_rerun(f"The key {escaped(key.name)} was revoked.")
        st.rerun()
