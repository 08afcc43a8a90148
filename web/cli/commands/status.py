"""`botvisor status`: a running instance in a few lines."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from actors.services import Instance

from ..client.instance import Endpoint, find_endpoint
from ..client.snapshot import BotAnswer, NodeJson, bot_of, tree_of
from ..options import ConfigOption, DataDirOption, JsonOption, SetOption, UrlOption, configuration
from ..render.output import STATE_STYLES, plain, show, show_json, span


def status(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a running instance does: its bot, and which of its actors are not well."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    tree, _ = tree_of(endpoint)
    bot, raw_bot = bot_of(endpoint)
    nodes = list(tree.tree.walk())
    states = Counter(node.state for node in nodes)
    if as_json:
        supervisor = {"states": states, "restarts": sum(node.restarts for node in nodes)}
        places = dict(_places(endpoint.instance))
        show_json({"url": endpoint.url, "bot": raw_bot, "supervisor": supervisor, **places})
    else:
        show(_summary(endpoint, bot, nodes, states))


def _summary(endpoint: Endpoint, bot: BotAnswer, nodes: list[NodeJson], states: Counter[str]) -> Table:
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
    for name, place in _places(endpoint.instance):
        table.add_row(name, Text(place))
    for node in nodes:
        if node.state in {"backoff", "failed"}:
            error = f": {plain(node.last_error)}" if node.last_error else ""
            table.add_row(_state(node.state), Text(f"{plain(node.path)}{error}"))
    return table


def _places(instance: Instance | None) -> list[tuple[str, str]]:
    """Where a person with other tools finds what the instance works with."""
    if instance is None:
        return []
    places = [("database", instance.database), ("redis", instance.redis)]
    return places + ([("practice", instance.practice_url)] if instance.practice_url else [])


def _session(bot: BotAnswer) -> str:
    return plain(bot.session_name or bot.session_id or "no session")


def _state(state: str) -> Text:
    return Text(plain(state), STATE_STYLES.get(state, ""))
