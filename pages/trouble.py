"""A database that is away: one sentence for it, wherever on a page it is missed."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, ParamSpec

import streamlit as st

from db.engine import TROUBLE

NO_DATABASE: Final = (
    "The database cannot be reached or read at the moment. Try again; if this lasts, tell whoever "
    "looks after Satisface: the log says why."
)
NOT_DONE: Final = "_not_done"
"""Session state: that something which was asked for could not be done."""
DIALOG: Final = "_dialog"
"""Session state: that a dialog is open over the page as it was drawn last."""
ZONES_TO_SAVE: Final = "zones_to_save"
"""Session state: (camera's id, the staff zones drawn for it), until it is known whether these can
be saved. While the database is away the board itself is gone from the page."""

_log = logging.getLogger(__name__)
_Given = ParamSpec("_Given")


@contextmanager
def told(where: str, *, key: str | None = None) -> Iterator[None]:
    """The sentence in the place of the rest of the block, where the database is away.

    ``where``: for the log. ``key``: of a button to try again; None where that happens by itself.
    """
    try:
        yield
    except TROUBLE:
        _log.exception("no database for %s", where)
        st.error(NO_DATABASE, icon=":material/database_off:")
        if key is not None:
            st.button("Try again", icon=":material/refresh:", key=key)


def refreshing(show: Callable[_Given, None], *, every: float | None) -> Callable[_Given, None]:
    """A part of a page that is drawn anew without the rest of it.

    ``every``: seconds after which it draws itself; None: when something in it is used. It says by
    itself that the database is away, and is drawn again once that is back; while the page is drawn
    as a whole, the page says it.
    """
    with_the_page = True

    @wraps(show)
    def part(*args: _Given.args, **named: _Given.kwargs) -> None:
        nonlocal with_the_page
        if with_the_page:
            with_the_page = False
            show(*args, **named)
            return
        where = f"{show.__module__}.{show.__qualname__}"
        with told(where, key=None if every is not None else f"try_again_{where}"):
            show(*args, **named)

    return st.fragment(part, run_every=every)


def draw_anew() -> None:
    """From a part that keeps itself up to date: draw the whole page, but not under a dialog, which
    that would close. The dialog is to draw it once it is closed (``on_dismiss="rerun"``)."""
    if DIALOG not in st.session_state:
        st.rerun()


def in_dialog(show: Callable[_Given, None]) -> Callable[_Given, None]:
    """For what st.dialog shows: trouble is said in it, and the same button can be pressed again."""

    @wraps(show)
    def shown(*args: _Given.args, **named: _Given.kwargs) -> None:
        st.session_state[DIALOG] = True
        with told(f"dialog {show.__module__}.{show.__qualname__}"):
            show(*args, **named)

    return shown


def callback(do: Callable[_Given, None]) -> Callable[_Given, None]:
    """For what runs before a page is drawn: the page then says that it was not done."""

    @wraps(do)
    def done(*args: _Given.args, **named: _Given.kwargs) -> None:
        try:
            do(*args, **named)
        except TROUBLE:
            _log.exception("no database for %s.%s", do.__module__, do.__qualname__)
            st.session_state[NOT_DONE] = True

    return done
