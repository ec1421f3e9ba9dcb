"""The way of footage from the browser to the unfinished files: a component of our own.

Its program (pages/assets/uploader) sends files to the routes of api/uploads.py; what it tells the
page is only which uploads are in. Streamlit's own uploader holds every file in memory.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from settings import settings

if TYPE_CHECKING:
    from jobs.uploads import Upload, Uploads

_FOLDER = Path(__file__).parent / "assets" / "uploader"
_PASS = "upload_pass"  # noqa: S105  a key of the session state
_RENEW_S: Final = 6 * 3600

_component = st.components.v2.component(
    "satisface.uploader",
    html=(_FOLDER / "uploader.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "uploader.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "uploader.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class Given:
    """``files``: uploads that are whole. ``more_to_come``: others are still on their way."""

    files: "Sequence[Upload]"
    more_to_come: bool


def uploads() -> "Uploads":
    # Not for the first page to load.
    from jobs.store import unfinished_folder
    from jobs.uploads import Uploads

    return Uploads(unfinished_folder(settings()))


def uploader(camera_id: int, *, key: str = "uploader") -> Given:
    """The place to drop files. ``camera_id``: whose files are looked for before one is sent."""
    refused = _refusal(_headers())
    if refused:
        st.warning(refused)
        return Given((), more_to_come=False)
    told = (st.session_state.get(key) or {}).get("given") or {}
    ids = [upload_id for upload_id in told.get("ids", ()) if isinstance(upload_id, str)]
    kept = uploads()
    found = {upload_id: kept.find(upload_id) for upload_id in ids}
    files = [upload for upload in found.values() if upload is not None and upload.is_whole]
    present = {upload.id for upload in files}
    busy = bool(told.get("busy"))
    _component(
        key=key,
        data={
            "endpoint": f"{_base()}/api/uploads",
            "pass": _pass(),
            "camera": camera_id,
            "largest": settings().max_upload_mb * 1_000_000,
            # No lists: Streamlit would load pandas to look whether they are tables.
            "told": json.dumps({"ids": ids, "busy": busy}, separators=(",", ":")),
            "gone": tuple(upload_id for upload_id in ids if upload_id not in present),
        },
        on_given_change=lambda: None,
        on_refused_change=lambda: None,
    )
    return Given(files, busy)


def _base() -> str:
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}" if base else ""


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in st.context.headers.items()}


def _refusal(headers: dict[str, str]) -> str | None:
    from jobs.upload_pass import refusal

    if not headers:  # no browser is there
        return None
    signs_in = settings().proxy_signs_in
    return refusal(st.context.ip_address, headers, proxy_signs_in=signs_in)


def _pass() -> str:
    """The session's pass, the same for hours: new data would draw the component anew."""
    from jobs.upload_pass import key_of, make_pass

    made, given = st.session_state.get(_PASS, (float("-inf"), ""))
    if time.time() - made > _RENEW_S:
        context = st.runtime.scriptrunner.get_script_run_ctx()
        session = context.session_id if context else "none"
        made, given = time.time(), make_pass(key_of(settings().home), session)
        st.session_state[_PASS] = (made, given)
    return str(given)
