"""HTTP client of the running instance: finds its URL and token, sends requests, parses JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from actors.services import DataDirUnusable, Instance, read_instance
from actors.settings import is_loopback, local_url

from ..errors import CommandFailed, NotRunning, RequestRejected, TokenRefused, UnexpectedResponse
from ..options import CommandContext, Configuration
from ..render.output import plain

RESPONSE_TIMEOUT = 5.0
"""Seconds for a query."""
COMMAND_TIMEOUT = 15.0
"""Seconds for a command; longer than the instance's own timeouts, whose errors say more."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """URL and token of an instance."""

    url: str
    """Without a trailing slash."""
    token: str = field(repr=False)
    instance: Instance | None = None
    """From the data directory; None if only the URL is known."""

    @property
    def headers(self) -> dict[str, str]:
        """The authorization header; none without a token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def local(self) -> bool:
        """Whether it is on this machine and must not be reached by a proxy."""
        return is_loopback(urlsplit(self.url).hostname or "")


def find_endpoint(context: CommandContext) -> Endpoint:
    """Find the instance by the options of a command.

    Raises:
        SettingsError: the configuration is invalid.
        NotRunning, CommandFailed: as from `locate_endpoint`.
    """
    return locate_endpoint(context.configuration(), context.url)


def locate_endpoint(configuration: Configuration, url: str | None) -> Endpoint:
    """Find the instance by `url`, otherwise in its data directory, otherwise by its configured port.

    Raises:
        NotRunning: the data directory names no instance, and no port is configured.
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
    """Query the instance and return its JSON response.

    Raises:
        NotRunning: nothing answers.
        TokenRefused: the token is wrong.
        UnexpectedResponse: no response in time, an error, or no JSON.
    """
    status, phrase, answer = _request(endpoint, "GET", path, timeout=RESPONSE_TIMEOUT)
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
    """Send a command to the instance and return its JSON response.

    Raises:
        RequestRejected: the instance rejects it; the text is its sentence.
        NotRunning, TokenRefused, UnexpectedResponse: as from `fetch`.
    """
    status, phrase, answer = _request(endpoint, method, path, timeout=COMMAND_TIMEOUT, body=body, query=query)
    if status >= 300:
        reason = _detail(answer)
        if reason is None:
            raise UnexpectedResponse(f"{endpoint.url}{path} answered {status}: {plain(phrase)}")
        raise RequestRejected(plain(reason))
    return _json(endpoint, path, answer)


def parse(model: type[T], response: object, source: str = "instance") -> T:
    """Validate a JSON response.

    Raises:
        UnexpectedResponse: it does not have the form of `model`.
    """
    try:
        return TypeAdapter(model).validate_python(response)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnexpectedResponse(f"{source}: unexpected response: {where}: {first['msg']}") from None


def _request(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    timeout: float,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> tuple[int, str, object]:
    """Status, reason phrase and JSON of the response; the JSON is None if there is none."""
    url = endpoint.url
    try:
        with httpx.Client(headers=endpoint.headers, timeout=timeout, trust_env=not endpoint.local) as client:
            response = client.request(method, url + path, json=body, params=query)
    except httpx.ConnectError:
        raise not_running(endpoint) from None
    except httpx.TimeoutException:
        raise UnexpectedResponse(f"{url} did not answer within {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnexpectedResponse(f"{url}: unexpected response: {error}") from None
    if response.status_code == 401:
        raise TokenRefused(url)
    try:
        answer: object = response.json()
    except ValueError:
        answer = None
    return response.status_code, response.reason_phrase, answer


def _json(endpoint: Endpoint, path: str, answer: object) -> object:
    if answer is None:
        raise UnexpectedResponse(f"{endpoint.url}{path}: unexpected response: not JSON")
    return answer


def _detail(answer: object) -> str | None:
    """The sentence of an error response."""
    match answer:
        case {"detail": str() as detail}:
            return detail
        case _:
            return None


def not_running(endpoint: Endpoint) -> NotRunning:
    """Return the error of an endpoint where nothing answers."""
    return NotRunning(f"botvisor is not running: nothing answers at {endpoint.url}")
