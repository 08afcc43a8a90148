"""Saved logins: the cookies of each session in an encrypted file, kept across restarts.

A saved login avoids another login at the portal, and the extra checks that portals impose on frequent logins.
It is optional: a file that cannot be read is ignored.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import trio
from cryptography.fernet import Fernet, InvalidToken
from pydantic import TypeAdapter, ValidationError

from .cookies import Cookie
from .errors import SecretKeyUnusable

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("portals")

_MIN_KEY_BYTES = 16
_MAX_KEY_BYTES = 4_096
_MAX_FILE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredLogin:
    """Content of a file."""

    account: str
    """User name and portal that the cookies are for. They are not used for another account."""
    cookies: tuple[Cookie, ...]


_STORED_LOGIN: TypeAdapter[_StoredLogin] = TypeAdapter(_StoredLogin)


class LoginStore:
    """The saved logins of all sessions in one folder; use `open_login_store` to create one."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._fernet = Fernet(key)

    def saved_login(self, session: str, *, base_url: str, username: str) -> SavedLogin:
        """Return the saved login of one session. The file depends on the session's name alone."""
        return SavedLogin(self, session, f"{username} at {base_url}")

    async def delete(self, session: str) -> None:
        """Delete the saved login of a session, if any; its next incarnation logs in."""
        await trio.to_thread.run_sync(lambda: self._file(session).unlink(missing_ok=True))

    async def read(self, session: str, account: str) -> tuple[Cookie, ...]:
        """Return the saved cookies of a session, or none if none are saved for this account."""
        return await trio.to_thread.run_sync(self._read, self._file(session), session, account)

    async def write(self, session: str, account: str, cookies: tuple[Cookie, ...]) -> None:
        """Save cookies, replacing those saved before."""
        content = self._fernet.encrypt(
            _STORED_LOGIN.dump_json(_StoredLogin(account=account, cookies=cookies))
        )
        try:
            await trio.to_thread.run_sync(_replace, self._file(session), content)
        except OSError as error:
            LOGGER.warning("login_not_saved", session=session, reason=error.strerror)

    def _file(self, session: str) -> Path:
        # Session names need not be valid file names.
        return self._folder / hashlib.sha256(session.encode()).hexdigest()[:32]

    def _read(self, file: Path, session: str, account: str) -> tuple[Cookie, ...]:
        try:
            with file.open("rb") as stream:
                stored = _STORED_LOGIN.validate_json(self._fernet.decrypt(stream.read(_MAX_FILE_BYTES)))
        except FileNotFoundError:
            return ()
        except (OSError, InvalidToken, ValidationError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) else "damaged, or encrypted with another key"
            )
            LOGGER.warning("saved_login_ignored", session=session, file=str(file), reason=reason)
            return ()
        if stored.account != account:
            LOGGER.warning(
                "saved_login_ignored", session=session, file=str(file), reason="saved for another account"
            )
            return ()
        return stored.cookies


class SavedLogin:
    """The saved login of one session."""

    def __init__(self, store: LoginStore, session: str, account: str) -> None:
        self._store = store
        self._session = session
        self._account = account

    async def load(self) -> tuple[Cookie, ...]:
        """Return its cookies, or none if there is no login to resume."""
        return await self._store.read(self._session, self._account)

    async def save(self, cookies: tuple[Cookie, ...]) -> None:
        """Save cookies. A file that cannot be written is logged; the next incarnation then logs in."""
        await self._store.write(self._session, self._account, cookies)


def open_login_store(folder: Path, key_file: str = "") -> LoginStore:
    """Return the store in a folder, which is created if it does not exist.

    Args:
        key_file: file with the secret from which the key is derived; "" uses a random one in the folder.

    Raises:
        SecretKeyUnusable: the message names the file and what is expected.
    """
    path = Path(key_file) if key_file else folder / "key"
    try:
        path = path.expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not key_file and not path.exists():
            _replace(path, secrets.token_urlsafe(32).encode() + b"\n")
        with path.open("rb") as stream:
            secret = stream.read(_MAX_KEY_BYTES + 1).strip()
    except OSError as error:
        raise SecretKeyUnusable(path, error.strerror or "it cannot be read") from None
    except RuntimeError:  # "~" without a home directory
        raise SecretKeyUnusable(path, "no home directory") from None
    if not _MIN_KEY_BYTES <= len(secret) <= _MAX_KEY_BYTES:
        raise SecretKeyUnusable(path, f"expected {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes")
    return LoginStore(folder, base64.urlsafe_b64encode(hashlib.sha256(secret).digest()))


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # creates it with mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
