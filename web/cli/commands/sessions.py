"""`botvisor sessions`: lists, starts and stops the sessions of the running instance."""

from __future__ import annotations

from typing import Annotated, Final, cast
from uuid import UUID

import typer

from actors.sessions.messages import SessionStatus

from ..client.instance import find_endpoint, parse, send
from ..options import CommandContext, common_options
from ..render.output import show, show_json
from ..render.session_render import (
    SessionJson,
    SessionLogJson,
    SessionsJson,
    log_lines,
    session_details,
    session_table,
)

PATH: Final = "/api/sessions"

sessions = typer.Typer(
    name="sessions",
    help="List, start and stop the sessions of the running instance.",
    no_args_is_help=True,
)

SessionId = Annotated[UUID, typer.Argument(metavar="ID", help="The session's id.")]


@sessions.command("list")
@common_options(url=True)
def list_sessions(
    context: CommandContext,
    status: Annotated[
        SessionStatus | None, typer.Option("--status", help="Only sessions in this state.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Only sessions running in this instance.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of sessions.")] = 20,
) -> None:
    """List sessions, newest first."""
    endpoint = find_endpoint(context)
    query = {"limit": str(limit), **({"status": status.value} if status else {})}
    if local:
        query["local"] = "true"
    response = send(endpoint, "GET", PATH, query=query)
    found = parse(SessionsJson, response).sessions
    if context.as_json:
        show_json(cast("dict[str, object]", response)["sessions"])
    elif found:
        show(session_table(found))
    else:
        typer.echo("no such sessions", err=True)


@sessions.command("show")
@common_options(url=True)
def show_session(
    context: CommandContext,
    session_id: SessionId,
) -> None:
    """Show a session."""
    endpoint = find_endpoint(context)
    _show(send(endpoint, "GET", f"{PATH}/{session_id}"), context.as_json)


@sessions.command()
@common_options(url=True)
def start(
    context: CommandContext,
    session_id: Annotated[
        UUID | None,
        typer.Argument(metavar="[ID]", help="A stopped session; omit it to start a new one."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new session.")] = None,
    portal: Annotated[str | None, typer.Option("--portal", help="Portal of the new session.")] = None,
    config_id: Annotated[
        UUID | None, typer.Option("--config-id", help="Configuration of the new session.")
    ] = None,
) -> None:
    """Start a new session, or a stopped one again."""
    endpoint = find_endpoint(context)
    if session_id is not None:
        _show(send(endpoint, "POST", f"{PATH}/{session_id}/start"), context.as_json)
        return
    values = {"session_name": name, "portal": portal, "config_id": config_id and str(config_id)}
    body = {key: value for key, value in values.items() if value is not None}
    _show(send(endpoint, "POST", PATH, body=body), context.as_json)


@sessions.command()
@common_options(url=True)
def stop(
    context: CommandContext,
    session_id: SessionId,
) -> None:
    """Stop a session, after the click in progress."""
    endpoint = find_endpoint(context)
    _show(send(endpoint, "POST", f"{PATH}/{session_id}/stop"), context.as_json)


@sessions.command()
@common_options(url=True)
def reset(
    context: CommandContext,
    session_id: SessionId,
) -> None:
    """Stop a session and delete its saved login."""
    endpoint = find_endpoint(context)
    _show(send(endpoint, "POST", f"{PATH}/{session_id}/reset"), context.as_json)


@sessions.command()
@common_options(url=True)
def logs(
    context: CommandContext,
    session_id: SessionId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of lines.")] = 100,
) -> None:
    """Print the log lines and events of a session, oldest first."""
    endpoint = find_endpoint(context)
    response = send(endpoint, "GET", f"{PATH}/{session_id}/logs", query={"limit": str(limit)})
    lines = parse(SessionLogJson, response).logs
    if context.as_json:
        show_json(cast("dict[str, object]", response)["logs"])
        return
    for line in log_lines(lines):
        show(line)


def _show(response: object, as_json: bool) -> None:
    session = parse(SessionJson, response)
    if as_json:
        show_json(response)
    else:
        show(session_details(session))
