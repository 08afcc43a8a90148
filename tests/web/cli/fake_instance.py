"""A fake instance: an HTTP server with fixed responses, and the file by which commands find it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from actors.services import Instance

TREE = {
    "id": "botvisor",
    "path": "botvisor",
    "kind": "supervisor",
    "state": "running",
    "restarts": 0,
    "last_error": None,
    "uptime_seconds": 3725.4,
    "mailbox": None,
    "backoff_until": None,
    "detail": {},
    "children": [
        {
            "id": "db_writer",
            "path": "botvisor/database/db_writer",
            "kind": "worker",
            "state": "backoff",
            "restarts": 3,
            "last_error": "connection\nrefused \x1b[31m[bold]",
            "uptime_seconds": None,
            "mailbox": {"depth": 7, "capacity": 1000, "high_water": 9},
            "backoff_until": "2030-01-01T00:00:00Z",
            "detail": {"engine": "browser"},
            "children": [],
        }
    ],
}
BOT = {
    "is_running": True,
    "session_id": "1",
    "session_name": "Session_1",
    "status": "running",
    "login_status": "success",
    "total_checks": 12,
    "total_accepted": 3,
    "total_rejected": 2,
}
RESPONSES: Mapping[str, object] = {
    "/api/supervisor/status": {"tree": TREE, "timestamp": "2030-01-01T00:00:00Z"},
    "/api/bot/status": BOT,
}


@contextmanager
def fake_instance(responses: Mapping[str, object], token: str = "") -> Iterator[str]:
    """Serve these responses by path, and 401 without the token."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            response = responses.get(self.path)
            body = response if isinstance(response, bytes) else json.dumps(response).encode()
            is_rejected = token and self.headers["Authorization"] != f"Bearer {token}"
            self.send_response(401 if is_rejected else 404 if response is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def instance_info(**fields: str) -> Instance:
    """The content of the instance file, with changes."""
    values = {
        "web_url": "http://127.0.0.1:1",
        "database": "dbname=x",
        "redis": "redis://127.0.0.1:1",
    } | fields
    return Instance(
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        web_url=values["web_url"],
        practice_url=values.get("practice_url"),
        database=values["database"],
        redis=values["redis"],
    )
