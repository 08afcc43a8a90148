"""`botvisor tree`: the supervisor tree of a running instance."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from ..client.instance import find_endpoint
from ..client.snapshot import NodeJson, fetch_tree
from ..options import CommandContext, common_options
from ..render.output import STATE_STYLES, plain, show, show_json, span


@common_options(url=True)
def tree(context: CommandContext) -> None:
    """Print the supervisor tree of a running instance."""
    response, raw = fetch_tree(find_endpoint(context))
    if context.as_json:
        show_json(raw)
    else:
        show(render_tree(response.tree))


def render_tree(node: NodeJson) -> Tree:
    """Return a node and its descendants as a printable tree."""
    branch = Tree(_label(node), guide_style="dim")
    for child in node.children:
        branch.children.append(render_tree(child))
    return branch


def _label(node: NodeJson) -> Text:
    label = Text.assemble((plain(node.id), "bold"), "  ", (node.state, STATE_STYLES.get(node.state, "")))
    if node.uptime_seconds is not None:
        label.append(f"  up {span(node.uptime_seconds)}", "dim")
    if node.restarts:
        label.append(f"  restarts {node.restarts}", "yellow")
    if node.mailbox:
        full = node.mailbox.depth >= node.mailbox.capacity
        label.append(f"  mailbox {node.mailbox.depth}/{node.mailbox.capacity}", "bold red" if full else "dim")
    for key, value in node.detail.items():
        label.append(f"  {plain(key)}={plain(str(value))}", "cyan")
    if node.backoff_until:
        label.append(f"  restarts at {node.backoff_until.astimezone():%H:%M:%S}", "yellow")
    if node.last_error:
        label.append(f"  last error: {plain(node.last_error)}", "red")
    return label
