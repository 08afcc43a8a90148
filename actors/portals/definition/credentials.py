"""Credentials of a portal, from the settings and from the definition's references to secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...settings import Settings
from ..errors import DefinitionError, LoginRefused
from ..portal import Credentials
from ..totp import is_totp_secret, one_time_code
from .field_types import STRICT, Reference

_MAX_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReferences:
    """The `[credentials]` section of a definition: where each secret is stored.

    Omitted ones come from the settings.
    """

    __pydantic_config__ = STRICT

    username: Reference | None = None
    password: Reference | None = None
    totp_secret: Reference | None = None
    """Base32, as the portal shows it when the second factor is set up."""

    def resolve(self, portal: str, environ: Mapping[str, str], configured: Credentials) -> Credentials:
        """Return the configured credentials, and the rest from the references; "" for what neither has.

        Raises:
            DefinitionError: the message names the portal, the key and its reference, and no secret.
        """

        def lookup(key: str, value: str, reference: str | None) -> str:
            if value or reference is None:
                return value
            try:
                return _secret(reference, environ)
            except ValueError as error:
                sentence = f"portal {portal}: credentials.{key} = {reference!r}, expected {error}"
                raise DefinitionError(sentence) from None

        totp_secret = lookup("totp_secret", configured.totp_secret, self.totp_secret)
        if totp_secret and not is_totp_secret(totp_secret):
            raise DefinitionError(
                f"portal {portal}: credentials.totp_secret does not refer to a base32 string"
            )
        return Credentials(
            username=lookup("username", configured.username, self.username),
            password=lookup("password", configured.password, self.password),
            totp_secret=totp_secret,
        )


def current_code(credentials: Credentials) -> str:
    """Return the one-time code that is valid now.

    Raises:
        LoginRefused: no secret is configured.
    """
    if not credentials.totp_secret:
        raise LoginRefused("it asks for a one-time code, but no totp_secret is configured")
    return one_time_code(credentials.totp_secret)


def _secret(reference: str, environ: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not (value := environ.get(name, "")):
            raise ValueError("an environment variable that is set")
        return value
    try:
        with Path(name).expanduser().open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        # Editors and `echo` append a newline, which is not part of the secret.
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"a readable file: {error.strerror}") from None
    except (UnicodeDecodeError, RuntimeError):  # RuntimeError: "~" without a home directory
        raise ValueError("a file of UTF-8 text") from None
    if not secret.strip() or len(content) > _MAX_BYTES:
        raise ValueError(f"a file of 1 to {_MAX_BYTES} bytes")
    return secret


def configured_credentials(settings: Settings, portal: str) -> Credentials:
    """Return the credentials from the settings, with "" for each one that is not configured.

    The portal named "practice" falls back to the account in the `[practice]` section while that is enabled.
    """
    sessions, practice = settings.sessions, settings.practice
    is_practice = practice.enabled and portal == "practice"
    return Credentials(
        username=sessions.username or (practice.username if is_practice else ""),
        password=sessions.password.get_secret_value()
        or (practice.password.get_secret_value() if is_practice else ""),
        totp_secret=practice.totp_secret.get_secret_value() if is_practice else "",
    )
