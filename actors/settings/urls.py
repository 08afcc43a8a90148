"""URLs of servers: validation, masking of passwords, and insertion of a password."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

EMBEDDED = "embedded"
"""Value of a URL setting that selects the embedded server."""

_URL = re.compile(
    r"^\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE
)  # at the start, because a password may contain "://"
_DRIVER = re.compile(r"^(postgres(?:ql)?)\+\w+://")
_DATABASE_URL = re.compile(r"^postgres(?:ql)?://")
_CONNINFO = re.compile(r"^\s*[a-z_]+\s*=")
_REDIS_URL = re.compile(r"^(?:rediss?|unix)://")
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}

# Greedy on purpose: a password may contain an unescaped "/" or "@", and masking too much is harmless.
_USERINFO = re.compile(r"(?<=://)([^:@]*):(.*)@", re.DOTALL)
_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_KEYWORD = re.compile(
    r"(\b(?:ssl)?password\s*=\s*)('(?:\\.|[^'\\])*'?|(?:\\.|[^\s\\])+)", re.IGNORECASE | re.DOTALL
)


_USER = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^:@]*(?::\*\*\*)?", re.IGNORECASE)
_VALUE = re.compile(r"([?&][^=&]*=)[^&]*")


def mask_text(text: str) -> str:
    """Return the text of a URL setting with `***` for everything that may be a secret.

    It need not be a valid URL: a text without a scheme may still contain a password.
    """
    masked = _VALUE.sub(r"\1***", mask_url(text))
    user, at, host = masked.rpartition("@")
    return f"***@{host}" if at and not _USER.fullmatch(user) else masked


def mask_url(url: str) -> str:
    """Return a URL or a libpq conninfo string with `***` for any password in it."""
    if not _URL.match(url):
        # A conninfo string, or text that contains a URL, such as a TOML array.
        url = _KEYWORD.sub(r"\1***", url)
    return _PARAMETER.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def without_driver(url: str) -> str:
    """Return a database URL without SQLAlchemy's driver name, as in ``postgresql+asyncpg://``."""
    return _DRIVER.sub(r"\1://", url)


def is_database_url(url: str) -> bool:
    """Return whether this has the form of a libpq URL or conninfo string."""
    return bool(_DATABASE_URL.match(url) or ("://" not in url.partition("=")[0] and _CONNINFO.match(url)))


def is_redis_url(url: str) -> bool:
    """Return whether this has the form of a Redis URL."""
    if not _REDIS_URL.match(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # an invalid port, an unclosed [
        return False
    return bool(parts.path.strip("/")) if parts.scheme == "unix" else bool(parts.hostname) and port != 0


def is_web_url(url: str) -> bool:
    """Return whether this is an http or https URL with a host, and without a user, as logs show it."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return known and parts.username is None
    except ValueError:
        return False


def is_origin(url: str) -> bool:
    """Return whether this is a web origin as a browser sends it: scheme, host and an optional port."""
    return is_web_url(url) and "@" not in url and url.count("/") == 2 and not url.endswith(("?", "#"))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on this host."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def reachable_host(host: str) -> str:
    """Return the host at which this machine reaches a server that listens on `host`; replaces a wildcard."""
    bare = host.strip("[]")
    return _REACHABLE.get(bare, bare)


def local_url(host: str, port: int) -> str:
    """Return the http URL at which this machine reaches a server that listens on this host and port."""
    host = reachable_host(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def has_password(url: str) -> bool:
    """Return whether the URL or conninfo string contains a password."""
    return mask_url(url) != url


def with_password(url: str, password: str) -> str:
    """Return the URL or libpq conninfo string with this password inserted."""
    if not _URL.match(url):
        escaped = password.replace("\\", "\\\\").replace("'", "\\'")
        return f"{url} password='{escaped}'"
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[len(authority) :]}"
