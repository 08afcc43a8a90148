"""How a session comes to what it signs in with: a definition says where each secret is, never what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DefinitionError, LoginRefused
from ..portal import Credentials
from ..totp import is_totp_secret, one_time_code
from .field_types import STRICT, Reference

_LONGEST = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReferences:
    """The `[credentials]` section of a definition; what is left out comes from the settings."""

    __pydantic_config__ = STRICT

    username: Reference | None = None
    password: Reference | None = None
    totp_secret: Reference | None = None
    """Base32, as the portal showed it when the second factor was set up."""

    def resolve(self, portal: str, environ: Mapping[str, str], given: Credentials) -> Credentials:
        """Return what is given, and what the references lead to for the rest; "" for what nobody knows.

        Raises:
            DefinitionError: one sentence that names the portal, the key and its reference, and no secret.
        """

        def found(key: str, known: str, reference: str | None) -> str:
            if known or reference is None:
                return known
            try:
                return _secret(reference, environ)
            except ValueError as error:
                sentence = f"portal {portal}: credentials.{key} is {reference!r}, expected {error}"
                raise DefinitionError(sentence) from None

        totp_secret = found("totp_secret", given.totp_secret, self.totp_secret)
        if totp_secret and not is_totp_secret(totp_secret):
            raise DefinitionError(f"portal {portal}: what totp_secret leads to is no base32 text")
        return Credentials(
            username=found("username", given.username, self.username),
            password=found("password", given.password, self.password),
            totp_secret=totp_secret,
        )


def code_of(credentials: Credentials) -> str:
    """Return the one-time code that is good now.

    Raises:
        LoginRefused: there is no secret to make it of.
    """
    if not credentials.totp_secret:
        raise LoginRefused("it asks for a one-time code, and there is no totp_secret to make it of")
    return one_time_code(credentials.totp_secret)


def _secret(reference: str, environ: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env":
        if not (value := environ.get(name, "")):
            raise ValueError("a variable of the environment that is set")
        return value
    try:
        with Path(name).expanduser().open("rb") as stream:
            content = stream.read(_LONGEST + 1)
        # Editors and `echo` end a file with a line end, which is no part of the secret.
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"a file that can be read: {error.strerror}") from None
    except (UnicodeDecodeError, RuntimeError):  # a RuntimeError is a "~" without a home
        raise ValueError("a file with UTF-8 text") from None
    if not secret.strip() or len(content) > _LONGEST:
        raise ValueError(f"a file of 1 to {_LONGEST} bytes")
    return secret
