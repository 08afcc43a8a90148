"""The front end: the status over REST, and a thousand WebSocket clients.

REST beside a hello-world route on the same server, and beside the same status
read from PostgreSQL for each request; WebSockets beside a broadcast of the
same frames on Hypercorn alone. Servers and clients have a process each.
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
ASKERS: Final = 16
"""Clients that ask for the status at once."""
LISTENERS: Final = 1000
BURST: Final = 20
"""Events at once, to see how many frames a second go out."""

Times = Mapping[str, float]


def measure() -> list[Figure]:
    """All figures of the front end."""
    with Server("ours") as ours:
        asked = _ask(ours)
    # Another one, whose memory has held nothing else.
    with Server("ours") as ours, Server("bare") as bare:
        return [*_status(asked), *_broadcast(ours, bare)]


class Server:
    """A process of :mod:`tests.bench.web_server`."""

    def __init__(self, name: str) -> None:
        self._process = _start("web_server", name)
        self.ports: dict[str, int] = json.loads(self._line())
        self.memory = self.ports.pop("memory")
        """Bytes, before anybody came."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def order(self, command: str) -> dict[str, float]:
        """Give a command, and return what it says."""
        _tell(self._process, command)
        answer: dict[str, float] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        return _hear(self._process)


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def _tell(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended"
    return line


# REST


def _ask(server: Server) -> dict[str, list[Times]]:
    """For each contestant what each round measured: rate and p99 with many clients, p50 with one."""
    contestants = {"ours": "/api/bot/status", "hello": "/", "postgres": "/"}
    asked: dict[str, list[Times]] = {name: [] for name in contestants}
    for turn in range(ROUNDS):
        # Back and forth, so that nobody is always measured after the same neighbour.
        for name in contestants if turn % 2 == 0 else reversed(contestants):
            many, one = (_load(server.ports[name], contestants[name], clients) for clients in (ASKERS, 1))
            # With many the median is that of the queue, not that of the answer.
            asked[name].append({**many, "p50": one["p50"]})
    return asked


def _load(port: int, path: str, clients: int) -> Times:
    load = _start("web_load", "requests", str(port), path, str(clients), str(SECONDS))
    times: Times = json.loads(_hear(load))
    load.wait(10)
    return times


def _status(asked: Mapping[str, list[Times]]) -> list[Figure]:
    def beside(name: str, peer: str, what: str, unit: str, goal: float | None) -> Figure:
        mine, theirs = ([times[what] for times in asked[whose]] for whose in ("ours", peer))
        # Of a rate more is better, of a time less.
        ratios = [a / b if what == "rate" else b / a for a, b in zip(mine, theirs, strict=True)]
        return Figure(
            name=name, ours=median(mine), unit=unit, peer=median(theirs), ratio=median(ratios), goal=goal
        )

    return [
        beside("status, beside hello-world", "hello", "rate", "/s", 0.8),
        beside("status p99, beside hello-world's (faster)", "hello", "p99", "ms", None),
        beside("status p50, beside PostgreSQL's (faster)", "postgres", "p50", "ms", 5.0),
    ]


# WebSockets


def _broadcast(ours: Server, bare: Server) -> list[Figure]:
    with _listeners(ours.ports["ours"]) as our_clients, _listeners(bare.ports["bare"]) as their_clients:
        sides = {"ours": (ours, our_clients), "bare": (bare, their_clients)}
        grown = {
            name: (server.order("memory")["memory"] - server.memory) / LISTENERS / 1024
            for name, (server, _) in sides.items()
        }
        one: dict[str, list[float]] = {name: [] for name in sides}
        many: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(ROUNDS + 1):
            for name in sides if turn % 2 == 0 else reversed(sides):
                seconds = _time(*sides[name], 1), _time(*sides[name], BURST)
                if turn:  # the first time pays for caches
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
            name="frames to 1,000 clients, beside Hypercorn",
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
        assert _hear(load) == "ready\n"
        yield load
    finally:
        load.communicate(timeout=30)


def _time(server: Server, clients: subprocess.Popen[str], frames: int) -> float:
    """Seconds from the first event to the last frame at the last client."""
    _tell(clients, str(frames))
    assert _hear(clients) == "waiting\n"
    began = server.order(f"burst {frames}")["began"]
    return float(_hear(clients)) - began
