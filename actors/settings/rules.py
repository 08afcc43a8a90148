"""What must be true of the settings together, or of one beyond its type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from .sections import Settings
from .urls import EMBEDDED, is_database_address, is_loopback, is_origin, is_redis_address, is_web_address


def broken_rules(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that cannot stay as it is, and what was expected of it."""
    backoff, web, practice = settings.backoff, settings.web, settings.practice
    if settings.runtime.environment == "production" and practice.enabled:
        yield "practice.enabled", 'false where runtime.environment is "production"'
    if backoff.maximum_seconds < backoff.minimum_seconds:
        yield (
            "backoff.maximum_seconds",
            f"at least backoff.minimum_seconds, which is {backoff.minimum_seconds}",
        )
    monitor = settings.monitor
    if monitor.stale_after_seconds < monitor.interval_seconds + monitor.timeout_seconds:
        yield (
            "monitor.stale_after_seconds",
            "at least monitor.interval_seconds and monitor.timeout_seconds together, which is"
            f" {monitor.interval_seconds + monitor.timeout_seconds:g}",
        )
    if settings.database.url != EMBEDDED and not is_database_address(settings.database.url):
        yield "database.url", f'"{EMBEDDED}" or an address such as postgresql://user@host:5432/name'
    if settings.redis.url != EMBEDDED and not is_redis_address(settings.redis.url):
        yield "redis.url", f'"{EMBEDDED}" or an address such as redis://host:6379/0'
    if settings.sessions.portal_url and not is_web_address(settings.sessions.portal_url):
        yield "sessions.portal_url", "an address such as https://portal.example"
    if not all(is_origin(origin) for origin in web.allowed_origins):
        yield "web.allowed_origins", "origins such as http://localhost:3000"
    token = web.token.get_secret_value()
    if not token and not is_loopback(web.host):
        yield "web.host", "a loopback address such as 127.0.0.1, or a token in web.token or web.token_file"
    if not all("!" <= character <= "~" for character in token):
        # It travels in an HTTP header.
        yield "web.token", "visible ASCII characters only"
    if not _is_totp_secret(practice.totp_secret.get_secret_value()):
        yield "practice.totp_secret", "base32 text of 24, 32 or more characters"
    if practice.enabled and web.port and (web.host, web.port) == (practice.host, practice.port):
        yield "practice.port", "another port than web.port"


def _is_totp_secret(text: str) -> bool:
    try:
        # The practice portal is as strict as RFC 4226, which wants 128 bits and never less than 112.
        return not text or len(base64.b32decode(text)) >= 14
    except (binascii.Error, ValueError):
        return False
