"""Log-ins kept over restarts: the cookies of each session in a file of its own, encrypted.

A log-in that is on file spares the portal another one, and its owner the questions that portals ask of those
who sign in all the time. Nothing depends on it: what cannot be read is as if it were not there.
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

_SHORTEST_KEY = 16
_LONGEST_KEY = 4_096
_LONGEST_FILE = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """What a file holds."""

    account: str
    """The portal and the user name that it is for: another's log-in is none."""
    cookies: tuple[Cookie, ...]


_SHEET: TypeAdapter[_Sheet] = TypeAdapter(_Sheet)


class LoginStore:
    """The log-ins of all sessions in one folder; made by `open_login_store`."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._fernet = Fernet(key)

    def of(self, session: str, *, base_url: str, username: str) -> SavedLogin:
        """Return where one session's log-in is kept; its files are told apart by the session's name alone."""
        return SavedLogin(self, session, f"{username} at {base_url}")

    async def forget(self, session: str) -> None:
        """Remove what is kept of a session, if anything; its next incarnation signs in."""
        await trio.to_thread.run_sync(lambda: self._file(session).unlink(missing_ok=True))

    async def read(self, session: str, account: str) -> tuple[Cookie, ...]:
        """Return the cookies on file, none where there are none that are good for this account."""
        return await trio.to_thread.run_sync(self._read, self._file(session), session, account)

    async def write(self, session: str, account: str, cookies: tuple[Cookie, ...]) -> None:
        """Put cookies on file, in the place of those that are there."""
        content = self._fernet.encrypt(_SHEET.dump_json(_Sheet(account=account, cookies=cookies)))
        try:
            await trio.to_thread.run_sync(_replace, self._file(session), content)
        except OSError as error:
            LOGGER.warning("login_not_saved", session=session, reason=error.strerror)

    def _file(self, session: str) -> Path:
        # Names are the operator's, and need not be good as names of files.
        return self._folder / hashlib.sha256(session.encode()).hexdigest()[:32]

    def _read(self, file: Path, session: str, account: str) -> tuple[Cookie, ...]:
        try:
            with file.open("rb") as stream:
                sheet = _SHEET.validate_json(self._fernet.decrypt(stream.read(_LONGEST_FILE)))
        except FileNotFoundError:
            return ()
        except (OSError, InvalidToken, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "damaged, or written with another key"
            LOGGER.warning("saved_login_ignored", session=session, file=str(file), reason=reason)
            return ()
        if sheet.account != account:
            LOGGER.warning("saved_login_ignored", session=session, file=str(file), reason="another account's")
            return ()
        return sheet.cookies


class SavedLogin:
    """One session's log-in on file."""

    def __init__(self, store: LoginStore, session: str, account: str) -> None:
        self._store = store
        self._session = session
        self._account = account

    async def load(self) -> tuple[Cookie, ...]:
        """Return its cookies; none where there is no log-in to take up."""
        return await self._store.read(self._session, self._account)

    async def save(self, cookies: tuple[Cookie, ...]) -> None:
        """Keep these cookies. A file that cannot be written is logged, and costs a log-in later."""
        await self._store.write(self._session, self._account, cookies)


def open_login_store(folder: Path, key_file: str = "") -> LoginStore:
    """Return the store in a folder, which is made where it is not there.

    Args:
        key_file: holds the secret that the key is made of; "" keeps one beside the log-ins, made at random.

    Raises:
        SecretKeyUnusable: one sentence that names the file and what was expected.
    """
    path = Path(key_file) if key_file else folder / "key"
    try:
        path = path.expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not key_file and not path.exists():
            _replace(path, secrets.token_urlsafe(32).encode() + b"\n")
        with path.open("rb") as stream:
            secret = stream.read(_LONGEST_KEY + 1).strip()
    except OSError as error:
        raise SecretKeyUnusable(path, error.strerror or "it cannot be read") from None
    except RuntimeError:  # a "~" without a home
        raise SecretKeyUnusable(path, "there is no home directory") from None
    if not _SHORTEST_KEY <= len(secret) <= _LONGEST_KEY:
        raise SecretKeyUnusable(path, f"expected {_SHORTEST_KEY} to {_LONGEST_KEY} bytes that nobody guesses")
    return LoginStore(folder, base64.urlsafe_b64encode(hashlib.sha256(secret).digest()))


def _replace(path: Path, content: bytes) -> None:
    """Write a file for nobody else's eyes, the whole of it or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # with rights for the owner alone
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
