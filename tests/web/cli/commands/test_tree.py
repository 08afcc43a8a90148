"""`botvisor tree`: an instance's actors, for people and for programs."""

from __future__ import annotations

import json

from rich.console import Console

from web.cli.client.snapshot import MailboxJson, NodeJson
from web.cli.commands.tree import drawn

from ..command import botvisor
from ..site import ANSWERS, site


async def test_tree_in_a_pipe_is_plain_whole_lines(home: dict[str, str]):
    """One line for each actor, without colour, wrapping, or what could steer a terminal."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "tree", "--url", url)
    assert (ended.code, ended.err) == (0, "")
    root, child = ended.out.splitlines()
    assert root == "botvisor  running  up 1h 2m"
    assert child.startswith(
        "└── db_writer  backoff  restarts 3  mailbox 7/1000  engine=browser  starts again at "
    )
    assert child.endswith("  last error: connection refused \N{REPLACEMENT CHARACTER}[31m[bold]")


async def test_tree_as_json_is_what_the_instance_said(home: dict[str, str]):
    """--json is for programs: nothing is left out or made up."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "tree", "--json", "--url", f"{url}/")
    assert json.loads(ended.out) == ANSWERS["/api/supervisor/status"]


def test_a_terminal_gets_colour_by_state():
    """States are told apart at a glance, and text from elsewhere is never markup."""
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
        console.print(drawn(node))
    assert "[red]x" in captured.get()
    assert "\x1b[1;31mfailed" in captured.get()
    assert "\x1b[1;31m  mailbox 5/5" in captured.get()
