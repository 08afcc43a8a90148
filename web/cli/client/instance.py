"""The running instance, as the commands that look at it see it: an address, a token, and JSON from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from actors.services import DataDirUnusable, Instance, read_instance
from actors.settings import is_loopback, local_url

from ..errors import CommandFailed, NotRunning, RequestRejected, TokenRefused, UnexpectedResponse
from ..options import Configuration
from ..render.output import plain

ANSWER_SECONDS = 5.0
DONE_SECONDS = 15.0
"""Longer than the instance itself waits: its own answer says more than our silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an instance should answer."""

    url: str
    """Without a slash at its end."""
    token: str = field(repr=False)
    instance: Instance | None = None
    """What the data directory tells of it; None where it was found by its URL alone."""

    @property
    def headers(self) -> dict[str, str]:
        """The header that shows who asks; none where there is no token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where no proxy belongs in between."""
        return is_loopback(urlsplit(self.url).hostname or "")


def find_endpoint(configuration: Configuration, url: str | None) -> Endpoint:
    """Return where the instance answers: at the URL, else as its data directory says, else as configured.

    Raises:
        NotRunning: it has no fixed port, and the data directory knows of no instance.
        CommandFailed: the data directory cannot be read.
    """
    web = configuration.settings.web
    token = web.token.get_secret_value()
    instance = None
    if url is None:
        try:
            instance = read_instance(configuration.data_dir)
        except DataDirUnusable as error:
            raise CommandFailed(str(error)) from None
        url = instance.web_url if instance else None
    if not url:
        if web.port == 0:
            raise NotRunning(f"botvisor is not running on the data directory {configuration.data_dir}")
        url = local_url(web.host, web.port)
    return Endpoint(url=url.rstrip("/"), token=token, instance=instance)


def fetch(endpoint: Endpoint, path: str) -> object:
    """Return the JSON that the instance answers with.

    Raises:
        NotRunning: nothing listens there.
        TokenRefused: it wants another token.
        OddAnswer: it did not answer in time, or not with JSON.
    """
    status, phrase, answer = _ask(endpoint, "GET", path, seconds=ANSWER_SECONDS)
    if status != 200:
        reason = _detail(answer) or phrase
        raise UnexpectedResponse(f"{endpoint.url}{path} answered {status}: {plain(reason)}")
    return _json(endpoint, path, answer)


def send(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> object:
    """Have the instance do something, and return the JSON that it answers with.

    Raises:
        Declined: it says in its own words why not.
        NotRunning, TokenRefused, OddAnswer: likewise.
    """
    status, phrase, answer = _ask(endpoint, method, path, seconds=DONE_SECONDS, body=body, query=query)
    if status >= 300:
        reason = _detail(answer)
        if reason is None:
            raise UnexpectedResponse(f"{endpoint.url}{path} answered {status}: {plain(phrase)}")
        raise RequestRejected(plain(reason))
    return _json(endpoint, path, answer)


def _ask(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    seconds: float,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> tuple[int, str, object]:
    """Status, its phrase, and the JSON of the answer, None where it has none."""
    url = endpoint.url
    try:
        with httpx.Client(headers=endpoint.headers, timeout=seconds, trust_env=not endpoint.local) as client:
            response = client.request(method, url + path, json=body, params=query)
    except httpx.ConnectError:
        raise not_running(endpoint) from None
    except httpx.TimeoutException:
        raise UnexpectedResponse(f"{url} did not answer within {seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnexpectedResponse(f"{url} did not answer as botvisor would: {error}") from None
    if response.status_code == 401:
        raise TokenRefused(url)
    try:
        answer: object = response.json()
    except ValueError:
        answer = None
    return response.status_code, response.reason_phrase, answer


def _json(endpoint: Endpoint, path: str, answer: object) -> object:
    if answer is None:
        raise UnexpectedResponse(f"{endpoint.url} did not answer as botvisor would: no JSON at {path}")
    return answer


def _detail(answer: object) -> str | None:
    """The sentence in which botvisor itself says why not."""
    match answer:
        case {"detail": str() as detail}:
            return detail
        case _:
            return None


def not_running(endpoint: Endpoint) -> NotRunning:
    """Return the error that says so."""
    return NotRunning(f"botvisor is not running: nothing answers at {endpoint.url}")
