"""``botvisor greetings list``."""

from __future__ import annotations

from typing import cast

import typer

from web.cli.client.instance import fetch, find_endpoint
from web.cli.options import CommandContext, common_options
from web.cli.render.output import show_json

commands = typer.Typer(name="greetings", help="Greetings of the running instance.", no_args_is_help=True)


@commands.command("list")
@common_options(url=True)
def list_greetings(context: CommandContext) -> None:
    """Print the newest greetings."""
    answer = cast("dict[str, list[dict[str, str]]]", fetch(find_endpoint(context), "/api/greetings"))
    if context.as_json:
        show_json(answer)
        return
    for greeting in answer["greetings"]:
        typer.echo(greeting["text"])


@commands.callback()
def group() -> None:
    """Greetings of the running instance."""
