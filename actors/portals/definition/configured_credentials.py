"""What the settings say of signing in, before a definition's own references are followed."""

from __future__ import annotations

from ...settings import Settings
from ..portal import Credentials
from .definition import PortalDefinition


def credentials_of(settings: Settings, definition: PortalDefinition) -> Credentials:
    """Return what is configured, "" for what is not; the practice portal knows its own account."""
    sessions, practice = settings.sessions, settings.practice
    ours = practice.enabled and definition.name == "practice"
    return Credentials(
        username=sessions.username or (practice.username if ours else ""),
        password=sessions.password.get_secret_value()
        or (practice.password.get_secret_value() if ours else ""),
        totp_secret=practice.totp_secret.get_secret_value() if ours else "",
    )
