"""Many bot sessions at once: twenty in a browser, and five hundred on the http engine, beside bare scripts.

Ours is a whole botvisor, and its sessions keep what they do on record. The
scripts are of Playwright and of httpx alone, as many sessions at the same
portal, as many of them at work at once; they read the same table, decide by the
same rules and press the same buttons, and the portal counts what both ask of
it. The two take turns: while one works the other waits.
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
from .sessions_application import LONGEST, SHORTEST, Hands, idle_lags, open_hands
from .sessions_processes import Talker, memory, processor

SESSIONS: Final = {"http": 500, "browser": 20}
ROUNDS: Final = 3
SECONDS: Final = 6.0
"""Of each round."""
WARM_UP: Final = 2.0
QUIET: Final = 0.3
"""Seconds without a request after which nobody works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one of the two did in its turn."""

    rate: float
    """Cycles a second."""
    times: tuple[float, ...]
    """Seconds from the end of one cycle of a session to the end of its next."""
    requests: float
    """That the portal got, for each cycle."""
    processor: float
    """Milliseconds, for each cycle."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """All that was measured of one engine."""

    ours: list[Round] = field(default_factory=list[Round])
    bare: list[Round] = field(default_factory=list[Round])
    status: list[float] = field(default_factory=list[float])
    lags: list[float] = field(default_factory=list[float])
    idle_lags: list[float] = field(default_factory=list[float])
    """Of an event loop beside it that has next to nothing to do: what the machine alone adds."""
    our_memory: tuple[float, float] = (0.0, 0.0)
    """MB before there was a session, and at the end."""
    bare_memory: tuple[float, float] = (0.0, 0.0)


def measure() -> list[Figure]:
    """All figures of the sessions."""
    return [figure for engine in SESSIONS for figure in _figures(engine, trio.run(_measure, engine))]


async def _measure(engine: str) -> Measured:
    sessions, measured = SESSIONS[engine], Measured()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        async with Talker("sessions_portal", str(folder)) as portal:
            url = str(await portal.hear())
            async with open_hands(folder, engine, url, sessions) as hands:
                pid = hands.application.process.pid
                before = memory(pid)
                await hands.start_sessions(sessions)
                script = (engine, url, str(sessions), str(_most_active(engine)))
                async with Talker("sessions_bare", *script, json.dumps(dict(await hands.rules()))) as bare:
                    await bare.hear()
                    bare_before = memory(bare.pid)
                    await bare.hear()
                    for turn in range(ROUNDS):
                        # Back and forth, so that nobody always comes first.
                        for ours in (True, False) if turn % 2 == 0 else (False, True):
                            await (
                                _our_turn(hands, portal, measured)
                                if ours
                                else _their_turn(bare, portal, measured)
                            )
                    measured.our_memory = (before, memory(pid))
                    measured.bare_memory = (bare_before, memory(bare.pid))
    return measured


def _most_active(engine: str) -> int:
    settings = load_settings(None, {}, ())
    return settings.browser.max_active if engine == "browser" else SESSIONS[engine]


async def _our_turn(hands: Hands, portal: Talker, measured: Measured) -> None:
    pid = hands.application.process.pid
    all_cycles = await hands.checks()
    await _requests(portal)
    await hands.pace(SHORTEST)
    await trio.sleep(WARM_UP)
    began, cycles, busy = trio.current_time(), await hands.checks(), processor(pid)
    ends: list[list[float]] = []

    async def listen() -> None:
        ends.extend(await hands.cycle_ends(SECONDS))

    async def ask_status() -> None:
        measured.status.extend(await hands.status_times(SECONDS))

    async def ask_lag() -> None:
        measured.lags.extend(await hands.lags(SECONDS))

    async def measure_idle_lag() -> None:
        measured.idle_lags.extend(await idle_lags(SECONDS))

    async with trio.open_nursery() as nursery:
        for work in (listen, ask_status, ask_lag, measure_idle_lag):
            nursery.start_soon(work)
    cycles, busy = await hands.checks() - cycles, processor(pid) - busy
    rate = cycles / (trio.current_time() - began)
    await hands.pace(LONGEST)
    requests = await _requests(portal)
    with trio.move_on_after(SECONDS):
        while more := await _requests(portal):
            requests += more
            await trio.sleep(QUIET)
    # Begun and ended with nobody at work, so that each request belongs to a cycle that counts.
    requests_each = requests / (await hands.checks() - all_cycles)
    measured.ours.append(
        Round(rate=rate, times=_times(ends), requests=requests_each, processor=1000 * busy / cycles)
    )


async def _their_turn(bare: Talker, portal: Talker, measured: Measured) -> None:
    await bare.ask(str(WARM_UP))
    await _requests(portal)
    busy = processor(bare.pid)
    ends = cast("list[list[float]]", await bare.ask(str(SECONDS)))
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


async def _requests(portal: Talker) -> int:
    """What the portal was asked since the last time."""
    return sum(cast("dict[str, int]", await portal.ask("")).values())


def _times(ends: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(later - earlier for each in ends for earlier, later in pairwise(each))


def _figures(engine: str, measured: Measured) -> Iterator[Figure]:
    sessions = SESSIONS[engine]

    def beside(
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

    yield beside("cycles", lambda one: one.rate, "/s", goal=0.8, less=False)
    yield beside("cycle p50 (faster)", lambda one: _percentile(one.times, 50), "s")
    yield beside("cycle p99 (faster)", lambda one: _percentile(one.times, 99), "s")
    yield beside("requests a cycle (fewer)", lambda one: one.requests, "")
    yield beside("processor a cycle (less)", lambda one: one.processor, "ms")
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
    # On a machine so slow that no session ended two cycles in a round, each takes longer than that.
    return sorted(values)[len(values) * percent // 100] if values else SECONDS
