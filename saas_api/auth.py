"""Finds the team that a virtual key belongs to.

Keys are stored as HMAC-SHA256 with a pepper that is not in the database, so a copy of the database opens nothing. The team of a key
is cached for two seconds: a burst of calls costs one look-up, and a revoked key is still refused soon. A single user pays for a
look-up at every message, but never waits for other people's writes (`Database.read`).
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from saas_api.settings import MAX_KEY_LENGTH
from saas_api.store.tables import teams, virtual_keys
from storage.database import Database
from wire.errors import ErrorCode, WireError

REMEMBER_S = 2.0

_OWNER = (
    select(virtual_keys.c.key_id, virtual_keys.c.team_id, virtual_keys.c.expires_at, virtual_keys.c.revoked_at, teams.c.model_groups)
    .join(teams, teams.c.team_id == virtual_keys.c.team_id)
    .where(virtual_keys.c.key_hash == bindparam("hash"))
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller: a team and the key it used. `model_groups` None means all."""

    team_id: str
    key_id: str
    model_groups: frozenset[str] | None

    def may_use(self, model_group: str) -> bool:
        return self.model_groups is None or model_group in self.model_groups


class Authenticator:
    """Resolves virtual keys."""

    def __init__(self, database: Database, pepper: str) -> None:
        self._database = database
        self._pepper = pepper.encode()
        self._known: TTLCache[str, Identity] = TTLCache(maxsize=10_000, ttl=REMEMBER_S)

    def hash_key(self, key: str) -> str:
        """The form in which a key is stored."""
        return hmac.digest(self._pepper, key.encode(), "sha256").hex()

    async def identify(self, authorization: str | None) -> Identity:
        """Returns the identity behind an `Authorization: Bearer` header. Raises WireError INVALID_KEY."""
        scheme, _, key = (authorization or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise WireError(ErrorCode.INVALID_KEY, "A virtual key is needed: Authorization: Bearer sk-…")
        if len(key) > MAX_KEY_LENGTH or not key.isascii():
            raise WireError(ErrorCode.INVALID_KEY, "The virtual key is malformed.")
        identity = self._known.get(key)
        if identity is None:
            identity = self._known[key] = await self._look_up(self.hash_key(key))
        return identity

    async def _look_up(self, key_hash: str) -> Identity:
        def find(connection: Connection) -> Any:
            return connection.execute(_OWNER, {"hash": key_hash}).one_or_none()

        row = await self._database.read(find)
        if row is None:
            raise WireError(ErrorCode.INVALID_KEY, "The virtual key is unknown.")
        if row.revoked_at is not None:
            raise WireError(ErrorCode.INVALID_KEY, "The virtual key has been revoked.")
        if row.expires_at is not None and row.expires_at <= time.time():
            raise WireError(ErrorCode.INVALID_KEY, "The virtual key has expired.")
        return Identity(row.team_id, row.key_id, None if row.model_groups is None else frozenset(row.model_groups))

    async def ensure_first_team(self, team_id: str, key: str) -> None:
        """Creates the first team and its key unless they exist."""
        key_hash = self.hash_key(key)
        team = {"team_id": team_id, "name": "Demo team", "created_at": time.time()}
        first_key: dict[str, Any] = {"key_id": f"key_{key_hash[:24]}", "team_id": team_id, "name": "First key", "key_hash": key_hash}
        first_key |= {"prefix": key[:12], "created_at": time.time()}

        def make(connection: Connection) -> None:
            if connection.execute(select(teams.c.team_id).where(teams.c.team_id == team_id)).one_or_none() is None:
                connection.execute(teams.insert(), team)
            if connection.execute(select(virtual_keys.c.key_id).where(virtual_keys.c.key_hash == key_hash)).one_or_none() is None:
                connection.execute(virtual_keys.insert(), first_key)

        try:
            await self._database.write(make)
        except IntegrityError:  # another worker started at the same time and was faster; it may have had another key
            await self._database.write(make)
