"""Who may upload: whoever sits at this machine, or comes by a proxy that signs people in; and
only from a page of ours, which is given a pass for its session.

The pass names the session and the day, and is signed with a key that lies in the home folder: it
outlives a restart of the server, as half an upload does, and nobody else can make one.
"""

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

LIFETIME_S: Final = 24 * 3600
_KEY_FILE = "upload.key"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def refusal(client: str | None, headers: Mapping[str, str], *, proxy_signs_in: bool) -> str | None:
    """Why this visitor may not upload, in a sentence; None when they may.

    ``client``: address of the other end, None for this machine. ``headers``: with names in lower
    case.
    """
    if not _same_origin(headers):
        return "Uploads are taken from the pages of this server only."
    if proxy_signs_in:
        return None
    here = (client is None or _is_loopback(client)) and not any(h in headers for h in _FORWARDED)
    # A name that somebody else points at this machine (DNS rebinding) is not this machine.
    if here and _is_loopback(_host(headers.get("host", ""))):
        return None
    return (
        "Files can be uploaded only at the machine that runs Satisface, because nobody is asked "
        "who they are here. docs/operations.md, “Who can reach it”, tells how to open it to others."
    )


def _same_origin(headers: Mapping[str, str]) -> bool:
    """Browsers say where a request comes from; other programs need not."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def _host(netloc: str) -> str:
    return urlsplit(f"//{netloc}").hostname or ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_of(home: Path) -> bytes:
    """The key that passes are signed with, made when it is first asked for."""
    path = home / _KEY_FILE
    for _ in range(2):
        try:
            if len(key := path.read_bytes()) == 32:
                return key
        except FileNotFoundError:
            pass
        home.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{_KEY_FILE}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        # The last one stays where two make it at once; passes of the other are renewed by a visit.
        fresh.replace(path)
    return path.read_bytes()


def make_pass(key: bytes, session: str, now: float | None = None) -> str:
    """``session``: of letters, digits and hyphens."""
    until = int((time.time() if now is None else now) + LIFETIME_S)
    return f"{session}.{until}.{_signature(key, session, until)}"


def is_pass(key: bytes, given: str, now: float | None = None) -> bool:
    session, _, rest = given.partition(".")
    until, _, signature = rest.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) < 12):
        return False
    expected = _signature(key, session, int(until))
    in_time = (time.time() if now is None else now) < int(until)
    return hmac.compare_digest(signature.encode(), expected.encode()) and in_time


def _signature(key: bytes, session: str, until: int) -> str:
    return hmac.new(key, f"{session}.{until}".encode(), hashlib.sha256).hexdigest()
