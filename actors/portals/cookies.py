"""Cookies in a form that both engines share, so that a login can be saved and resumed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import cookiejar
from typing import Literal

SameSite = Literal["Lax", "None", "Strict"]

# http.cookiejar appends this to host names without a dot; browsers do not.
_LOCAL = ".local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie of a portal."""

    name: str
    value: str = field(repr=False)
    domain: str
    """With a leading dot if it includes subdomains."""
    path: str = "/"
    expires: float | None = None
    """Unix time in seconds; None for a session cookie."""
    secure: bool = False
    http_only: bool = False
    same_site: SameSite | None = None


def from_jar(jar: Iterable[cookiejar.Cookie]) -> tuple[Cookie, ...]:
    """Return the cookies of a `http.cookiejar` jar."""
    return tuple(
        Cookie(
            name=cookie.name,
            value=cookie.value or "",
            domain=_without_local(cookie.domain),
            path=cookie.path,
            expires=cookie.expires,
            secure=cookie.secure,
            http_only=cookie.has_nonstandard_attr("HttpOnly"),
        )
        for cookie in jar
    )


def fill_jar(jar: cookiejar.CookieJar, cookies: Iterable[Cookie]) -> None:
    """Add cookies to a `http.cookiejar` jar."""
    for cookie in cookies:
        domain = cookie.domain if "." in cookie.domain else cookie.domain + _LOCAL
        jar.set_cookie(
            cookiejar.Cookie(
                version=0,
                name=cookie.name,
                value=cookie.value,
                port=None,
                port_specified=False,
                domain=domain,
                domain_specified=domain.startswith("."),
                domain_initial_dot=domain.startswith("."),
                path=cookie.path,
                path_specified=True,
                secure=cookie.secure,
                expires=None if cookie.expires is None else int(cookie.expires),
                discard=cookie.expires is None,
                comment=None,
                comment_url=None,
                rest={"HttpOnly": ""} if cookie.http_only else {},
            )
        )


def _without_local(domain: str) -> str:
    bare = domain.removesuffix(_LOCAL)
    return domain if "." in bare else bare
