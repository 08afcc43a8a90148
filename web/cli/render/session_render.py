"""Sessions: JSON models of the API's responses, and their tables, details and logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from .output import plain, span

_STYLES = {
    "running": "green",
    "starting": "cyan",
    "stopping": "cyan",
    "failed": "bold red",
    "stopped": "dim",
    "warning": "yellow",
    "error": "bold red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionJson:
    """A session, running or past."""

    id: str
    session_name: str
    start_time: datetime
    end_time: datetime | None
    status: str
    login_status: str
    total_checks: int
    total_accepted: int
    total_rejected: int
    portal: str
    config_id: str | None
    local: bool
    engine: str | None
    message: str | None
    desired: str
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsJson:
    """A list of sessions."""

    sessions: tuple[SessionJson, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLogLineJson:
    """A log line or an event."""

    timestamp: datetime
    kind: str
    level: str
    message: str
    data: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLogJson:
    """Log lines and events of a session."""

    logs: tuple[SessionLogLineJson, ...]


def session_table(sessions: Iterable[SessionJson]) -> Table:
    """A table with one line per session."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    # Ids are copied from the table, so they are never cut.
    columns = ("ID", "NAME", "STATUS", "LOGIN", "CHECKS", "ACCEPTED", "REJECTED", "STARTED", "NOTE")
    for column in columns:
        table.add_column(column, no_wrap=column != "NOTE", overflow="fold")
    for session in sessions:
        table.add_row(
            plain(session.id),
            Text(plain(session.session_name)),
            _styled(session.status),
            Text(plain(session.login_status)),
            str(session.total_checks),
            str(session.total_accepted),
            str(session.total_rejected),
            f"{_ago(session.start_time)} ago",
            Text(plain(session.message or "")),
        )
    return table


def session_details(session: SessionJson) -> Table:
    """All fields of a session."""
    table = Table.grid(padding=(0, 2))
    rows: Mapping[str, str | Text | None] = {
        "id": plain(session.id),
        "name": Text(plain(session.session_name)),
        "status": _styled(session.status),
        "message": session.message and Text(plain(session.message)),
        "desired": Text(plain(session.desired)),
        "login": Text(plain(session.login_status)),
        "jobs": f"{session.total_checks} checks, {session.total_accepted} accepted,"
        f" {session.total_rejected} rejected",
        "portal": Text(plain(session.portal)),
        "engine": session.engine and Text(plain(session.engine)),
        "configuration": plain(session.config_id or "active"),
        "instance": session.owner and Text(plain(session.owner)),
        "started": _format_time(session.start_time),
        "ended": None if session.end_time is None else _format_time(session.end_time),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def log_lines(lines: Iterable[SessionLogLineJson]) -> Iterator[Text]:
    """Log lines and events as text, oldest first."""
    for line in sorted(lines, key=lambda line: line.timestamp):
        text = Text.assemble((_format_time(line.timestamp), "dim"), "  ")
        text.append(f"{plain(line.level):<8}", _STYLES.get(line.level, ""))
        text.append(plain(line.message), "bold" if line.kind == "event" else "")
        for key, value in line.data.items():
            if value is not None:
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                text.append(f" {plain(key)}={plain(shown)}", "dim")
        yield text


def _styled(state: str) -> Text:
    return Text(plain(state), _STYLES.get(state, ""))


def _ago(moment: datetime) -> str:
    return span(max(0.0, (datetime.now(UTC) - moment).total_seconds()))


def _format_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
