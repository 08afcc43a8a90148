"""Addresses of servers as text: what is one, what may be shown of it, and how a password gets into it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

EMBEDDED = "embedded"
"""The address of a database or a Redis that says: bring your own."""

_URL = re.compile(r"^\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)  # at the start: a password may hold "://" too
_DRIVER = re.compile(r"^(postgres(?:ql)?)\+\w+://")
_DATABASE_URL = re.compile(r"^postgres(?:ql)?://")
_CONNINFO = re.compile(r"^\s*[a-z_]+\s*=")
_REDIS_URL = re.compile(r"^(?:rediss?|unix)://")
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}

# Deliberately greedy: a password may hold an unescaped "/" or "@", and to hide too much is the smaller harm.
_USERINFO = re.compile(r"(?<=://)([^:@]*):(.*)@", re.DOTALL)
_PARAMETER = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_KEYWORD = re.compile(
    r"(\b(?:ssl)?password\s*=\s*)('(?:\\.|[^'\\])*'?|(?:\\.|[^\s\\])+)", re.IGNORECASE | re.DOTALL
)


_USER = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^:@]*(?::\*\*\*)?", re.IGNORECASE)
_VALUE = re.compile(r"([?&][^=&]*=)[^&]*")


def mask_text(text: str) -> str:
    """Return what was written where an address belongs, with `***` for all that may be a secret in it.

    It need not be an address: whoever forgets the scheme has not forgotten the password.
    """
    masked = _VALUE.sub(r"\1***", mask_url(text))
    user, at, host = masked.rpartition("@")
    return f"***@{host}" if at and not _USER.fullmatch(user) else masked


def mask_url(url: str) -> str:
    """Return the address (a URL or a libpq conninfo string) with `***` for any password in it."""
    if not _URL.match(url):
        # Or text that has an address in it, as a list in TOML.
        url = _KEYWORD.sub(r"\1***", url)
    return _PARAMETER.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def without_driver(url: str) -> str:
    """Return a database address without SQLAlchemy's driver name, as in ``postgresql+asyncpg://``."""
    return _DRIVER.sub(r"\1://", url)


def is_database_address(url: str) -> bool:
    """Tell whether libpq would take this as a URL or a conninfo string, by its form only."""
    return bool(_DATABASE_URL.match(url) or ("://" not in url.partition("=")[0] and _CONNINFO.match(url)))


def is_redis_address(url: str) -> bool:
    """Tell whether this is a URL of a Redis server, by its form only."""
    if not _REDIS_URL.match(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, an unclosed [
        return False
    return bool(parts.path.strip("/")) if parts.scheme == "unix" else bool(parts.hostname) and port != 0


def is_web_address(url: str) -> bool:
    """Tell whether this is an http or https URL with a host, and with no user, as it is shown everywhere."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return known and parts.username is None
    except ValueError:
        return False


def is_origin(url: str) -> bool:
    """Tell whether this is a web origin: scheme, host and perhaps a port, as a browser sends it."""
    return is_web_address(url) and "@" not in url and url.count("/") == 2 and not url.endswith(("?", "#"))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens on this host."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def reachable_host(host: str) -> str:
    """Return where this machine reaches a server that listens on this host: a wildcard is none to go to."""
    bare = host.strip("[]")
    return _REACHABLE.get(bare, bare)


def local_url(host: str, port: int) -> str:
    """Return the http address at which this machine reaches a server that listens on this host and port."""
    host = reachable_host(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def has_password(url: str) -> bool:
    """Tell whether the address carries a password already."""
    return mask_url(url) != url


def with_password(url: str, password: str) -> str:
    """Return the address (a URL or a libpq conninfo string) with this password in it."""
    if not _URL.match(url):
        escaped = password.replace("\\", "\\\\").replace("'", "\\'")
        return f"{url} password='{escaped}'"
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[len(authority) :]}"
