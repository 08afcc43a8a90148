"""Many bot sessions at once: 20 in a browser and 500 on the http engine, against bare scripts.

Ours is a whole botvisor, whose sessions write to the database. The scripts use
Playwright or httpx alone, with as many sessions at the same portal and the same
limit of sessions at work; they read the same table, decide by the same rules and
press the same buttons. The portal counts the requests of both. The two take
turns: one waits while the other works.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final, cast

import trio

from actors.settings import load_settings

from .figures import Figure
from .sessions_application import LONGEST, SHORTEST, Operator, idle_lags, open_operator
from .sessions_processes import JsonProcess, memory, processor

SESSIONS: Final = {"http": 500, "browser": 20}
ROUNDS: Final = 3
SECONDS: Final = 6.0
"""Of each round."""
WARM_UP: Final = 2.0
QUIET: Final = 0.3
"""Seconds without a request after which no session is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Measurements of one side in one turn."""

    rate: float
    """Cycles a second."""
    times: tuple[float, ...]
    """Seconds from the end of one cycle of a session to the end of its next."""
    requests: float
    """Requests to the portal for each cycle."""
    processor: float
    """Processor time for each cycle, in milliseconds."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """All measurements of one engine."""

    ours: list[Round] = field(default_factory=list[Round])
    bare: list[Round] = field(default_factory=list[Round])
    status: list[float] = field(default_factory=list[float])
    lags: list[float] = field(default_factory=list[float])
    idle_lags: list[float] = field(default_factory=list[float])
    """Of an idle event loop in the benchmark's own process: the machine's share."""
    our_memory: tuple[float, float] = (0.0, 0.0)
    """MB before the first session, and at the end."""
    bare_memory: tuple[float, float] = (0.0, 0.0)


def measure() -> list[Figure]:
    """All figures of the sessions."""
    return [figure for engine in SESSIONS for figure in _figures(engine, trio.run(_measure, engine))]


async def _measure(engine: str) -> Measured:
    sessions, measured = SESSIONS[engine], Measured()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        async with JsonProcess("sessions_portal", str(folder)) as portal:
            url = str(await portal.receive())
            async with open_operator(folder, engine, url, sessions) as operator:
                pid = operator.application.process.pid
                before = memory(pid)
                await operator.start_sessions(sessions)
                script = (engine, url, str(sessions), str(_most_active(engine)))
                async with JsonProcess(
                    "sessions_bare", *script, json.dumps(dict(await operator.rules()))
                ) as bare:
                    await bare.receive()
                    bare_before = memory(bare.pid)
                    await bare.receive()
                    for turn in range(ROUNDS):
                        # Alternate the order.
                        for ours in (True, False) if turn % 2 == 0 else (False, True):
                            await (
                                _measure_ours(operator, portal, measured)
                                if ours
                                else _measure_bare(bare, portal, measured)
                            )
                    measured.our_memory = (before, memory(pid))
                    measured.bare_memory = (bare_before, memory(bare.pid))
    return measured


def _most_active(engine: str) -> int:
    settings = load_settings(None, {}, ())
    return settings.browser.max_active_pages if engine == "browser" else SESSIONS[engine]


async def _measure_ours(operator: Operator, portal: JsonProcess, measured: Measured) -> None:
    pid = operator.application.process.pid
    all_cycles = await operator.checks()
    await _requests(portal)
    await operator.set_interval(SHORTEST)
    await trio.sleep(WARM_UP)
    began, cycles, busy = trio.current_time(), await operator.checks(), processor(pid)
    ends: list[list[float]] = []

    async def listen() -> None:
        ends.extend(await operator.cycle_ends(SECONDS))

    async def ask_status() -> None:
        measured.status.extend(await operator.status_times(SECONDS))

    async def ask_lag() -> None:
        measured.lags.extend(await operator.lags(SECONDS))

    async def measure_idle_lag() -> None:
        measured.idle_lags.extend(await idle_lags(SECONDS))

    async with trio.open_nursery() as nursery:
        for work in (listen, ask_status, ask_lag, measure_idle_lag):
            nursery.start_soon(work)
    cycles, busy = await operator.checks() - cycles, processor(pid) - busy
    rate = cycles / (trio.current_time() - began)
    await operator.set_interval(LONGEST)
    requests = await _requests(portal)
    with trio.move_on_after(SECONDS):
        while more := await _requests(portal):
            requests += more
            await trio.sleep(QUIET)
    # No session is at work before and after, so that each request belongs to a counted cycle.
    requests_each = requests / (await operator.checks() - all_cycles)
    measured.ours.append(
        Round(rate=rate, times=_times(ends), requests=requests_each, processor=1000 * busy / cycles)
    )


async def _measure_bare(bare: JsonProcess, portal: JsonProcess, measured: Measured) -> None:
    await bare.request(str(WARM_UP))
    await _requests(portal)
    busy = processor(bare.pid)
    ends = cast("list[list[float]]", await bare.request(str(SECONDS)))
    cycles, busy = sum(map(len, ends)), processor(bare.pid) - busy
    in_time = [[end for end in each if end <= SECONDS] for each in ends]
    measured.bare.append(
        Round(
            rate=sum(map(len, in_time)) / SECONDS,
            times=_times(in_time),
            requests=await _requests(portal) / cycles,
            processor=1000 * busy / cycles,
        )
    )


async def _requests(portal: JsonProcess) -> int:
    """Number of requests to the portal since the last call."""
    return sum(cast("dict[str, int]", await portal.request("")).values())


def _times(ends: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(later - earlier for each in ends for earlier, later in pairwise(each))


def _figures(engine: str, measured: Measured) -> Iterator[Figure]:
    sessions = SESSIONS[engine]

    def compared(
        name: str, value: Callable[[Round], float], unit: str, *, goal: float | None = None, less: bool = True
    ) -> Figure:
        mine, theirs = ([value(one) for one in side] for side in (measured.ours, measured.bare))
        ratios = (b / a if less else a / b for a, b in zip(mine, theirs, strict=True))
        return Figure(
            name=f"{engine}, {sessions}: {name}",
            ours=median(mine),
            unit=unit,
            peer=median(theirs),
            ratio=median(ratios),
            goal=goal,
        )

    def alone(
        name: str, value: float, unit: str, *, goal: float | None = None, peer: float | None = None
    ) -> Figure:
        return Figure(name=f"{engine}, {sessions}: {name}", ours=value, unit=unit, goal=goal, peer=peer)

    yield compared("cycles", lambda one: one.rate, "/s", goal=0.8, less=False)
    yield compared("cycle p50 (faster)", lambda one: _percentile(one.times, 50), "s")
    yield compared("cycle p99 (faster)", lambda one: _percentile(one.times, 99), "s")
    yield compared("requests a cycle (fewer)", lambda one: one.requests, "")
    yield compared("processor a cycle (less)", lambda one: one.processor, "ms")
    (before, after), (bare_before, bare_after) = measured.our_memory, measured.bare_memory
    yield alone("memory of all processes", after, "MB", peer=bare_after)
    grown, bare_grown = (after - before) / sessions, (bare_after - bare_before) / sessions
    yield alone("memory a session", grown, "MB", peer=bare_grown)
    for percent, most in ((50, None), (99, 50.0)):
        lag, idle = (1000 * _percentile(lags, percent) for lags in (measured.lags, measured.idle_lags))
        yield alone(f"loop lag p{percent} (peer: idle loop)", lag, "ms", goal=most, peer=idle)
    yield alone("status route, p50", 1000 * median(measured.status), "ms")
    yield alone("status route, p99", 1000 * _percentile(measured.status, 99), "ms")


def _percentile(values: Sequence[float], percent: int) -> float:
    # Without values no session ended two cycles in a round, so a cycle takes longer than a round.
    return sorted(values)[len(values) * percent // 100] if values else SECONDS
