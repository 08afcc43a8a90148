"""The clients of the web benchmark, in a process of their own.

Plain sockets and epoll, so that the clients are no slower than what they
measure: ``python -m tests.bench.web_load KIND PORT ...``.
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

WORD = b'"type":"job_processed"'
"""Is once in each frame that counts."""


@dataclass(slots=True, eq=False)
class Client:
    """One connection."""

    socket: socket.socket
    content: bytes = b""
    asked: float = 0.0
    heard: int = 0


def requests(port: int, path: str, clients: int, seconds: float) -> dict[str, float]:
    """Ask again as soon as the answer is there, on so many connections; rate a second and times in ms."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n".encode()
    times: list[float] = []
    with ExitStack() as stack:
        selector = selectors.DefaultSelector()
        for client in _connect(stack, port, clients):
            client.socket.sendall(request)
            client.asked = perf_counter()
            selector.register(client.socket, selectors.EVENT_READ, client)
        began = now = perf_counter()
        while now < began + seconds:
            for key, _ in selector.select(1):
                client = key.data
                client.content += client.socket.recv(65_536)
                if not _is_answered(client.content):
                    continue
                now = perf_counter()
                times.append(now - client.asked)
                client.content, client.asked = b"", now
                client.socket.sendall(request)
    times.sort()
    return {
        "rate": len(times) / (now - began),
        "p50": 1000 * times[len(times) // 2],
        "p99": 1000 * times[int(0.99 * len(times))],
    }


def _is_answered(content: bytes) -> bool:
    head, end, body = content.partition(b"\r\n\r\n")
    if not end:
        return False
    assert head.startswith(b"HTTP/1.1 200"), head
    return len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0])


def listen(port: int, clients: int) -> None:
    """Open so many WebSockets; for each number read, say when all of them have heard so many frames more."""
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
        _say("ready")
        for line in sys.stdin:
            _say("waiting")
            _say(_wait_for(selector, clients, int(line)))


def _wait_for(selector: selectors.BaseSelector, clients: int, frames: int) -> float:
    done = 0
    while done < clients:
        for key, _ in selector.select():
            client: Client = key.data
            received = client.socket.recv(262_144)
            assert received, "the server closed the connection"
            content = client.content[1 - len(WORD) :] + received
            before, client.heard = client.heard, client.heard + content.count(WORD)
            client.content = content[1 - len(WORD) :]
            if before < frames <= client.heard:
                client.heard -= frames
                done += 1
    return perf_counter()


def _connect(stack: ExitStack, port: int, clients: int) -> Iterator[Client]:
    for _ in range(clients):
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Client(plain)


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["requests", port, path, clients, seconds]:
            _say(json.dumps(requests(int(port), path, int(clients), float(seconds))))
        case ["listen", port, clients]:
            listen(int(port), int(clients))
        case other:
            sys.exit(f"what is {other}?")
