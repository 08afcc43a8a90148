"""`botvisor status`: a summary of the running instance."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from actors.services import Instance

from ..client.instance import Endpoint, find_endpoint
from ..client.snapshot import BotJson, NodeJson, fetch_bot, fetch_tree
from ..options import CommandContext, common_options
from ..render.output import STATE_STYLES, plain, show, show_json, span


@common_options(url=True)
def status(context: CommandContext) -> None:
    """Print a summary of the running instance: its bot, and the actors that have failed."""
    endpoint = find_endpoint(context)
    tree, _ = fetch_tree(endpoint)
    bot, raw_bot = fetch_bot(endpoint)
    nodes = list(tree.tree.walk())
    states = Counter(node.state for node in nodes)
    if context.as_json:
        supervisor = {"states": states, "restarts": sum(node.restarts for node in nodes)}
        addresses = dict(_addresses(endpoint.instance))
        show_json({"url": endpoint.url, "bot": raw_bot, "supervisor": supervisor, **addresses})
    else:
        show(_summary(endpoint, bot, nodes, states))


def _summary(endpoint: Endpoint, bot: BotJson, nodes: list[NodeJson], states: Counter[str]) -> Table:
    table = Table.grid(padding=(0, 2))
    root = nodes[0]
    uptime = f", up {span(root.uptime_seconds)}" if root.uptime_seconds is not None else ""
    table.add_row("instance", Text.assemble(_state(root.state), f" at {endpoint.url}{uptime}"))
    table.add_row(
        "session", Text.assemble(_state(bot.status), f" {_session(bot)}, login {plain(bot.login_status)}")
    )
    jobs = f"{bot.total_checks} checks, {bot.total_accepted} accepted, {bot.total_rejected} rejected"
    table.add_row("jobs", Text(jobs))
    counts = ", ".join(f"{count} {plain(state)}" for state, count in states.most_common())
    table.add_row("actors", Text(f"{counts}; {sum(node.restarts for node in nodes)} restarts"))
    for name, address in _addresses(endpoint.instance):
        table.add_row(name, Text(address))
    for node in nodes:
        if node.state in {"backoff", "failed"}:
            error = f": {plain(node.last_error)}" if node.last_error else ""
            table.add_row(_state(node.state), Text(f"{plain(node.path)}{error}"))
    return table


def _addresses(instance: Instance | None) -> list[tuple[str, str]]:
    """Addresses of the servers that the instance uses."""
    if instance is None:
        return []
    addresses = [("database", instance.database), ("redis", instance.redis)]
    return addresses + ([("practice", instance.practice_url)] if instance.practice_url else [])


def _session(bot: BotJson) -> str:
    return plain(bot.session_name or bot.session_id or "no session")


def _state(state: str) -> Text:
    return Text(plain(state), STATE_STYLES.get(state, ""))
