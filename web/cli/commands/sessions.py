"""`botvisor sessions`: the bot sessions of a running instance."""

from __future__ import annotations

from typing import Annotated, Final, cast
from uuid import UUID

import typer

from actors.sessions.messages import SessionStatus

from ..client.instance import find_endpoint, send
from ..options import ConfigOption, DataDirOption, JsonOption, SetOption, UrlOption, configuration
from ..render.output import show, show_json
from ..render.session_render import (
    SessionJson,
    SessionLogs,
    SessionsJson,
    log_lines,
    session_sheet,
    session_table,
)
from ..render.task_render import parsed

PATH: Final = "/api/sessions"

sessions = typer.Typer(
    name="sessions",
    help="Look at the bot sessions of a running instance, start them and stop them.",
    no_args_is_help=True,
)

SessionId = Annotated[UUID, typer.Argument(metavar="ID", help="The session's id.")]


@sessions.command("list")
def listed(
    status: Annotated[
        SessionStatus | None, typer.Option("--status", help="Only sessions in this state.")
    ] = None,
    on_duty: Annotated[
        bool, typer.Option("--on-duty", help="Only those that run in this instance now.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many of the newest.")] = 20,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    query = {"limit": str(limit), **({"status": status.value} if status else {})}
    if on_duty:
        query["on_duty"] = "true"
    answer = send(endpoint, "GET", PATH, query=query)
    found = parsed(SessionsJson, answer).sessions
    if as_json:
        show_json(cast("dict[str, object]", answer)["sessions"])
    elif found:
        show(session_table(found))
    else:
        typer.echo("no such sessions", err=True)


@sessions.command("show")
def shown(
    session_id: SessionId,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a session."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _show(send(endpoint, "GET", f"{PATH}/{session_id}"), as_json)


@sessions.command()
def start(
    session_id: Annotated[
        UUID | None,
        typer.Argument(metavar="[ID]", help="A session that was stopped; without one a new one is started."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the new session is called.")] = None,
    portal: Annotated[str | None, typer.Option("--portal", help="The portal that it works at.")] = None,
    config_id: Annotated[
        UUID | None, typer.Option("--config-id", help="The configuration that it works by.")
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a session, beside those that run."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    if session_id is not None:
        _show(send(endpoint, "POST", f"{PATH}/{session_id}/start"), as_json)
        return
    given = {"session_name": name, "portal": portal, "config_id": config_id and str(config_id)}
    body = {key: value for key, value in given.items() if value is not None}
    _show(send(endpoint, "POST", PATH, body=body), as_json)


@sessions.command()
def stop(
    session_id: SessionId,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a session; a click under way is finished first."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _show(send(endpoint, "POST", f"{PATH}/{session_id}/stop"), as_json)


@sessions.command()
def reset(
    session_id: SessionId,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a session and forget its log-in."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _show(send(endpoint, "POST", f"{PATH}/{session_id}/reset"), as_json)


@sessions.command()
def logs(
    session_id: SessionId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many lines.")] = 100,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a session wrote and what happened in it, the latest last."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    answer = send(endpoint, "GET", f"{PATH}/{session_id}/logs", query={"limit": str(limit)})
    lines = parsed(SessionLogs, answer).logs
    if as_json:
        show_json(cast("dict[str, object]", answer)["logs"])
        return
    for line in log_lines(lines):
        show(line)


def _show(answer: object, as_json: bool) -> None:
    session = parsed(SessionJson, answer)
    if as_json:
        show_json(answer)
    else:
        show(session_sheet(session))
