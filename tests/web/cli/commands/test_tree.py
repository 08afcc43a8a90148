"""`botvisor tree`: the supervisor tree as text and as JSON."""

from __future__ import annotations

import json

from rich.console import Console

from web.cli.client.snapshot import MailboxJson, NodeJson
from web.cli.commands.tree import render_tree

from ..fake_instance import RESPONSES, fake_instance
from ..process import botvisor


async def test_tree_in_a_pipe_is_plain(home: dict[str, str]):
    """One line per actor, without colour, wrapping or control characters."""
    with fake_instance(RESPONSES) as url:
        result = await botvisor(home, "tree", "--url", url)
    assert (result.code, result.err) == (0, "")
    root, child = result.out.splitlines()
    assert root == "botvisor  running  up 1h 2m"
    assert child.startswith(
        "└── db_writer  backoff  restarts 3  mailbox 7/1000  engine=browser  restarts at "
    )
    assert child.endswith("  last error: connection refused \N{REPLACEMENT CHARACTER}[31m[bold]")


async def test_tree_as_json_is_the_response_of_the_instance(home: dict[str, str]):
    """Unchanged."""
    with fake_instance(RESPONSES) as url:
        result = await botvisor(home, "tree", "--json", "--url", f"{url}/")
    assert json.loads(result.out) == RESPONSES["/api/supervisor/status"]


def test_a_terminal_gets_colours_by_state():
    """Untrusted text is never markup."""
    node = NodeJson(
        id="[red]x",
        path="x",
        kind="worker",
        state="failed",
        restarts=1,
        mailbox=MailboxJson(depth=5, capacity=5, high_water=5),
    )
    console = Console(force_terminal=True, color_system="standard", no_color=False, width=80)
    with console.capture() as captured:
        console.print(render_tree(node))
    assert "[red]x" in captured.get()
    assert "\x1b[1;31mfailed" in captured.get()
    assert "\x1b[1;31m  mailbox 5/5" in captured.get()
