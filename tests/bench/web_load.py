"""The clients of the web benchmark, in a process of their own.

Plain sockets and epoll, so that the clients are faster than the servers that
they measure: ``python -m tests.bench.web_load KIND PORT ...``.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

MARK = b'"type":"job_processed"'
"""Occurs once in each frame that counts."""


@dataclass(slots=True, eq=False)
class Client:
    """One connection."""

    socket: socket.socket
    content: bytes = b""
    sent_at: float = 0.0
    frames: int = 0


def requests(port: int, path: str, clients: int, seconds: float) -> dict[str, float]:
    """Send a request again after each response, on so many connections; rate a second and times in ms."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n".encode()
    times: list[float] = []
    with ExitStack() as stack:
        selector = selectors.DefaultSelector()
        for client in _connect(stack, port, clients):
            client.socket.sendall(request)
            client.sent_at = perf_counter()
            selector.register(client.socket, selectors.EVENT_READ, client)
        began = now = perf_counter()
        while now < began + seconds:
            for key, _ in selector.select(1):
                client = key.data
                client.content += client.socket.recv(65_536)
                if not _is_complete(client.content):
                    continue
                now = perf_counter()
                times.append(now - client.sent_at)
                client.content, client.sent_at = b"", now
                client.socket.sendall(request)
    times.sort()
    return {
        "rate": len(times) / (now - began),
        "p50": 1000 * times[len(times) // 2],
        "p99": 1000 * times[int(0.99 * len(times))],
    }


def _is_complete(content: bytes) -> bool:
    head, end, body = content.partition(b"\r\n\r\n")
    if not end:
        return False
    assert head.startswith(b"HTTP/1.1 200"), head
    return len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0])


def listen(port: int, clients: int) -> None:
    """Open so many WebSockets; for each number read, print when all have received so many more frames."""
    handshake = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        selector = selectors.DefaultSelector()
        for client in _connect(stack, port, clients):
            client.socket.sendall(handshake)
            while b"\r\n\r\n" not in client.content:
                client.content += client.socket.recv(65_536)
            assert client.content.startswith(b"HTTP/1.1 101"), client.content
            client.socket.setblocking(False)
            selector.register(client.socket, selectors.EVENT_READ, client)
        _send("ready")
        for line in sys.stdin:
            _send("waiting")
            _send(_wait_for(selector, clients, int(line)))


def _wait_for(selector: selectors.BaseSelector, clients: int, frames: int) -> float:
    done = 0
    while done < clients:
        for key, _ in selector.select():
            client: Client = key.data
            received = client.socket.recv(262_144)
            assert received, "the server closed the connection"
            content = client.content[1 - len(MARK) :] + received
            before, client.frames = client.frames, client.frames + content.count(MARK)
            client.content = content[1 - len(MARK) :]
            if before < frames <= client.frames:
                client.frames -= frames
                done += 1
    return perf_counter()


def _connect(stack: ExitStack, port: int, clients: int) -> Iterator[Client]:
    for _ in range(clients):
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Client(plain)


def _send(message: object) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["requests", port, path, clients, seconds]:
            _send(json.dumps(requests(int(port), path, int(clients), float(seconds))))
        case ["listen", port, clients]:
            listen(int(port), int(clients))
        case other:
            sys.exit(f"unknown arguments: {other}")
