"""Keys by which programs come in at the HTTP API.

A key is 256 random bits. It is told once, when it is made; what is kept is its SHA-256: whoever
reads the database learns no key, and nothing slower than one hash is needed, since nobody guesses
such a number.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from db.tables import ApiKey, ApiKeySite, Base, Site
from fer_core.errors import SatisfaceError

PREFIX: Final = "satisface_"
"""What every key begins with, so that those who look for leaked secrets know one."""

_NAME_LENGTH: Final = 100
_LONGEST: Final = 200
_HINT: Final = len(PREFIX) + 4
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class ApiKeyError(SatisfaceError):
    """A key cannot be made so; the message says why."""


class Scope(StrEnum):
    """What a key opens. ``read``: sites, recordings, hours and figures, in which few people are
    withheld. ``rows``: single faces and people as well. ``upload``: to give footage."""

    READ = "read"
    ROWS = "rows"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """``hint``: the key's first letters. ``site_ids``: None means all sites; empty means that it
    was bound to sites that are gone. Times are UTC; ``last_used_at`` is right to the minute."""

    id: int
    name: str
    hint: str
    scopes: frozenset[Scope]
    site_ids: frozenset[int] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def refusal(self, now: datetime) -> str | None:
        """Why it opens nothing (any more), in a sentence; None where it does."""
        if self.revoked_at is not None:
            return f"This key was revoked on {self.revoked_at:%Y-%m-%d}."
        if self.expires_at is not None and now >= self.expires_at:
            return f"This key expired on {self.expires_at:%Y-%m-%d}."
        return None


def create_key(
    session: Session,
    name: str,
    scopes: Collection[Scope],
    *,
    site_ids: Collection[int] | None = None,
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> tuple[str, ApiKeyRow]:
    """The key, which nobody can be told again, and its row.

    ``site_ids``: None means all sites. ``expires_at``: aware; None means never. Raises ApiKeyError
    where the name is empty, too long or that of a key in force, where the key would open nothing,
    and where a site is gone.
    """
    at = now or datetime.now(UTC)
    clean = " ".join(name.split())
    if not clean:
        raise ApiKeyError("A key needs a name.")
    if len(clean) > _NAME_LENGTH:
        raise ApiKeyError(f"The name of a key can have at most {_NAME_LENGTH} letters.")
    if not scopes:
        raise ApiKeyError("A key has to open something: choose what it may do.")
    if site_ids is not None and not site_ids:
        raise ApiKeyError("A key that is bound to sites needs one at least.")
    if expires_at is not None and expires_at <= at:
        raise ApiKeyError("A key must expire in the future, or never.")
    for other in list_keys(session):
        if other.name.casefold() == clean.casefold() and other.refusal(at) is None:
            raise ApiKeyError(f"There is already a key named {other.name}; revoke it first.")
    known = set(session.scalars(select(Site.id)))
    if site_ids is not None and not known.issuperset(site_ids):
        raise ApiKeyError("A site that the key was to be bound to does not exist any more.")
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        name=clean,
        digest=_digest(key),
        hint=key[:_HINT],
        scopes=sorted(Scope(scope).value for scope in scopes),
        all_sites=site_ids is None,
        created_at=at,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    if site_ids is not None:
        session.execute(
            insert(Base.metadata.tables[ApiKeySite.__tablename__]),
            [{"key_id": row.id, "site_id": site_id} for site_id in sorted(set(site_ids))],
        )
    return key, _row(session, row)


def list_keys(session: Session) -> list[ApiKeyRow]:
    """All that were ever made, the newest first."""
    rows = session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()))
    return [_row(session, row) for row in rows.all()]


def find_key(session: Session, given: str) -> ApiKeyRow | None:
    """The row of a key, whether or not it is still in force; None where there is none."""
    if not given.startswith(PREFIX) or len(given) > _LONGEST:
        return None
    # An index compares hashes, whose letters tell nothing of the key's.
    digest = _digest(given)
    row = session.scalar(select(ApiKey).where(ApiKey.digest == digest))
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    return _row(session, row)


def revoke_key(session: Session, key_id: int, *, now: datetime | None = None) -> bool:
    """From the commit on it opens nothing. False where there was nothing to revoke."""
    revoked = session.scalar(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now or datetime.now(UTC))
        .returning(ApiKey.id)
    )
    return revoked is not None


def is_use_to_be_noted(key: ApiKeyRow, now: datetime) -> bool:
    """Whether ``note_use`` would change anything worth a write."""
    return key.last_used_at is None or now - key.last_used_at >= _USE_NOTED_EVERY


def note_use(session: Session, key_id: int, now: datetime) -> None:
    earlier = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, earlier).values(last_used_at=now))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _row(session: Session, key: ApiKey) -> ApiKeyRow:
    bound = select(ApiKeySite.site_id).where(ApiKeySite.key_id == key.id)
    return ApiKeyRow(
        id=key.id,
        name=key.name,
        hint=key.hint,
        scopes=frozenset(Scope(scope) for scope in key.scopes),
        site_ids=None if key.all_sites else frozenset(session.scalars(bound)),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )
