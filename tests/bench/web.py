"""The web server: the status route, and a thousand WebSocket clients.

The status route is compared with a hello-world route on the same server, and with
a route that reads the status from PostgreSQL for each request; WebSockets with a
broadcast of the same frames on bare Hypercorn. Each server and each group of
clients has a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Final, Self

from .figures import Figure

ROUNDS: Final = 3
SECONDS: Final = 1.0
REQUESTERS: Final = 16
"""Concurrent clients of the status route."""
LISTENERS: Final = 1000
BURST: Final = 20
"""Events at once, to measure frames a second."""

Times = Mapping[str, float]


def measure() -> list[Figure]:
    """All figures of the web server."""
    with Server("ours") as ours:
        measured = _measure_requests(ours)
    # A new process, for the memory figures.
    with Server("ours") as ours, Server("bare") as bare:
        return [*_status(measured), *_broadcast(ours, bare)]


class Server:
    """A process of :mod:`tests.bench.web_server`."""

    def __init__(self, name: str) -> None:
        self._process = _start("web_server", name)
        self.ports: dict[str, int] = json.loads(self._line())
        self.memory = self.ports.pop("memory")
        """Bytes, before the first client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def request(self, command: str) -> dict[str, float]:
        """Send a command, and return the reply."""
        _send(self._process, command)
        reply: dict[str, float] = json.loads(self._line())
        return reply

    def _line(self) -> str:
        return _receive(self._process)


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def _send(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")


def _receive(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended"
    return line


# REST


def _measure_requests(server: Server) -> dict[str, list[Times]]:
    """Results of each round by candidate: rate and p99 with many clients, p50 with one."""
    candidates = {"ours": "/api/bot/status", "hello": "/", "postgres": "/"}
    measured: dict[str, list[Times]] = {name: [] for name in candidates}
    for turn in range(ROUNDS):
        # Alternate the order, so that no candidate always follows the same one.
        for name in candidates if turn % 2 == 0 else reversed(candidates):
            many, one = (_load(server.ports[name], candidates[name], clients) for clients in (REQUESTERS, 1))
            # With many clients the median is that of the queue, not of the route.
            measured[name].append({**many, "p50": one["p50"]})
    return measured


def _load(port: int, path: str, clients: int) -> Times:
    load = _start("web_load", "requests", str(port), path, str(clients), str(SECONDS))
    times: Times = json.loads(_receive(load))
    load.wait(10)
    return times


def _status(measured: Mapping[str, list[Times]]) -> list[Figure]:
    def compared(name: str, peer: str, what: str, unit: str, goal: float | None) -> Figure:
        mine, theirs = ([times[what] for times in measured[whose]] for whose in ("ours", peer))
        # A higher rate is better, a shorter time is better.
        ratios = [a / b if what == "rate" else b / a for a, b in zip(mine, theirs, strict=True)]
        return Figure(
            name=name, ours=median(mine), unit=unit, peer=median(theirs), ratio=median(ratios), goal=goal
        )

    return [
        compared("status, vs. hello-world", "hello", "rate", "/s", 0.8),
        compared("status p99, vs. hello-world's (faster)", "hello", "p99", "ms", None),
        compared("status p50, vs. PostgreSQL's (faster)", "postgres", "p50", "ms", 5.0),
    ]


# WebSockets


def _broadcast(ours: Server, bare: Server) -> list[Figure]:
    with _listeners(ours.ports["ours"]) as our_clients, _listeners(bare.ports["bare"]) as their_clients:
        sides = {"ours": (ours, our_clients), "bare": (bare, their_clients)}
        grown = {
            name: (server.request("memory")["memory"] - server.memory) / LISTENERS / 1024
            for name, (server, _) in sides.items()
        }
        one: dict[str, list[float]] = {name: [] for name in sides}
        many: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(ROUNDS + 1):
            for name in sides if turn % 2 == 0 else reversed(sides):
                seconds = _time(*sides[name], 1), _time(*sides[name], BURST)
                if turn:  # the first round pays for caches
                    one[name].append(1000 * seconds[0])
                    many[name].append(BURST * LISTENERS / seconds[1])
    return [
        Figure(
            name="event to the last of 1,000 clients (faster)",
            ours=median(one["ours"]),
            unit="ms",
            peer=median(one["bare"]),
            ratio=median(b / a for a, b in zip(one["ours"], one["bare"], strict=True)),
            goal=0.9,
        ),
        Figure(
            name="frames to 1,000 clients, vs. Hypercorn",
            ours=median(many["ours"]),
            unit="/s",
            peer=median(many["bare"]),
            ratio=median(a / b for a, b in zip(many["ours"], many["bare"], strict=True)),
            goal=0.9,
        ),
        Figure(name="memory a WebSocket client", ours=grown["ours"], unit="kB", peer=grown["bare"]),
    ]


@contextmanager
def _listeners(port: int) -> Generator[subprocess.Popen[str], None, None]:
    load = _start("web_load", "listen", str(port), str(LISTENERS))
    try:
        assert _receive(load) == "ready\n"
        yield load
    finally:
        load.communicate(timeout=30)


def _time(server: Server, clients: subprocess.Popen[str], frames: int) -> float:
    """Seconds from the first event to the last frame at the last client."""
    _send(clients, str(frames))
    assert _receive(clients) == "waiting\n"
    began = server.request(f"burst {frames}")["began"]
    return float(_receive(clients)) - began
