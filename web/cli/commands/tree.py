"""`botvisor tree`: the supervisor tree of a running instance."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from ..client.instance import find_endpoint
from ..client.snapshot import NodeJson, tree_of
from ..options import ConfigOption, DataDirOption, JsonOption, SetOption, UrlOption, configuration
from ..render.output import STATE_STYLES, plain, show, show_json, span


def tree(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the supervisor tree of a running instance."""
    answer, raw = tree_of(find_endpoint(configuration(config, overrides, data_dir), url))
    if as_json:
        show_json(raw)
    else:
        show(drawn(answer.tree))


def drawn(node: NodeJson) -> Tree:
    """Return the node and all below it as a tree to print."""
    branch = Tree(_label(node), guide_style="dim")
    for child in node.children:
        branch.children.append(drawn(child))
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
        label.append(f"  starts again at {node.backoff_until.astimezone():%H:%M:%S}", "yellow")
    if node.last_error:
        label.append(f"  last error: {plain(node.last_error)}", "red")
    return label
