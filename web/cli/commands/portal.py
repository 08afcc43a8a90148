"""`botvisor portal check FILE`: tests a portal definition on the live portal, without clicking anything.

::

    botvisor portal check my-portal.toml --username-env PORTAL_USER --password-env PORTAL_PASSWORD
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import trio
import typer
from rich.table import Table
from rich.text import Text

from actors.portals import Credentials, DefinitionError, PortalDefinition, PortalUnavailable, load_definition
from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_portal import open_browser_portal
from actors.portals.browser.chromium import find_chromium
from actors.portals.check.definition_check import check_definition
from actors.portals.check.findings import Finding, FindingState, Sample
from actors.portals.definition.credentials import configured_credentials
from actors.portals.http.http_portal import open_http_portal
from actors.portals.portal import ReadablePortal
from actors.services import DataDirFault, read_instance
from runtime import Address, ChildSpec, StartFailed, SupervisorSpec, open_system

from ..errors import CommandFailed
from ..options import CommandContext, Configuration, common_options
from ..render.output import STATE_STYLES, plain, show, show_json

Engine = Literal["auto", "browser", "http"]

portal = typer.Typer(
    name="portal", help="Portal definitions.", no_args_is_help=True, pretty_exceptions_enable=False
)


@portal.callback()
def _portal() -> None:
    pass


@portal.command()
@common_options()
def check(
    context: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition, a TOML file.")],
    engine: Annotated[
        Engine, typer.Option("--engine", help="auto uses the browser if a Chromium is found.")
    ] = "auto",
    url: Annotated[
        str | None, typer.Option("--portal-url", metavar="URL", help="Replaces base_url of the definition.")
    ] = None,
    username_env: Annotated[
        str | None,
        typer.Option("--username-env", metavar="NAME", help="Environment variable with the user name."),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="NAME", help="Environment variable with the password."),
    ] = None,
    totp_env: Annotated[
        str | None,
        typer.Option("--totp-env", metavar="NAME", help="Environment variable with the TOTP secret."),
    ] = None,
) -> None:
    """Sign in to a portal and print what each selector of its definition matches; clicks nothing."""
    configuration = context.configuration()
    try:
        definition = _at_url(load_definition(file), url, configuration)
        variables = {"username": username_env, "password": password_env, "totp_secret": totp_env}
        credentials = _credentials(definition, variables, configuration)
        report = trio.run(partial(_inspect, definition, credentials, engine, configuration))
    except (DefinitionError, PortalUnavailable) as error:
        raise CommandFailed(plain(str(error))) from None
    if context.as_json:
        show_json(report.as_data())
    else:
        show(_findings(report.findings))
        if report.samples:
            show(_jobs(report.samples))
    if (failure := report.failure) is not None:
        where = f"{failure.key} {failure.value}".strip()
        raise CommandFailed(plain(f"{file} does not fit the portal: {where}: {failure.remark}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a definition check."""

    findings: tuple[Finding, ...]
    samples: tuple[Sample, ...]

    @property
    def failure(self) -> Finding | None:
        """The first finding that would stop a session."""
        return next((finding for finding in self.findings if finding.state is FindingState.FAILED), None)

    def as_data(self) -> dict[str, object]:
        """The report as JSON."""
        return {
            "ok": self.failure is None,
            "findings": [asdict(finding) for finding in self.findings],
            "jobs": [asdict(sample.job) | {"outcome": sample.outcome} for sample in self.samples],
        }


def _at_url(definition: PortalDefinition, url: str | None, configuration: Configuration) -> PortalDefinition:
    """Return the definition with its base URL: that of the option, or of the running practice portal."""
    if url is not None:
        return definition.at(url)
    if definition.name == "practice" and configuration.settings.practice.enabled:
        try:
            instance = read_instance(configuration.data_dir)
        except DataDirFault as error:
            raise CommandFailed(str(error)) from None
        if instance is not None and instance.practice_url is not None:
            return definition.at(instance.practice_url.rstrip("/"))
    return definition


def _credentials(
    definition: PortalDefinition, variables: dict[str, str | None], configuration: Configuration
) -> Credentials:
    named = {key: f"env:{name}" for key, name in variables.items() if name is not None}
    references = replace(definition.credentials, **named)
    configured = configured_credentials(configuration.settings, definition.name)
    # The options override the configuration.
    configured = replace(configured, **dict.fromkeys(named, ""))
    return references.resolve(definition.name, os.environ, configured)


async def _inspect(
    definition: PortalDefinition, credentials: Credentials, engine: Engine, configuration: Configuration
) -> Report:
    findings: list[Finding] = []
    samples: list[Sample] = []
    chromium = None if engine == "http" else find_chromium(configuration.settings.browser.executable)
    if engine == "browser" and chromium is None:
        raise CommandFailed("--engine browser needs a Chromium: install one or name it in browser.executable")
    async with _open(definition, credentials, chromium) as opened:
        async for one in check_definition(opened, definition):
            if isinstance(one, Finding):
                findings.append(one)
            else:
                samples.append(one)
    return Report(findings=tuple(findings), samples=tuple(samples))


@asynccontextmanager
async def _open(
    definition: PortalDefinition, credentials: Credentials, chromium: Path | None
) -> AsyncGenerator[ReadablePortal, None]:
    if chromium is None:
        async with open_http_portal(definition, credentials) as opened:
            yield opened
        return
    address: Address[BrowserQuery] = Address("browser_host")
    with tempfile.TemporaryDirectory(prefix="botvisor-") as folder:
        host = partial(BrowserHost, executable=chromium, run_dir=Path(folder) / "browser")
        spec = SupervisorSpec(
            address=Address("browsers"),
            children=(ChildSpec(address=address, start=host, start_timeout=60.0, shutdown=6.0),),
        )
        try:
            async with (
                open_system(spec, stop_timeout=10.0),
                open_browser_portal(definition, credentials, address) as opened,
            ):
                yield opened
        except StartFailed as error:
            raise CommandFailed(plain(str(error))) from None


def _findings(found: Sequence[Finding]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("key", "selector", "state", "found", "first"):
        table.add_column(column, overflow="fold", justify="right" if column == "found" else "left")
    for one in found:
        shown = [plain(part) for part in (f'"{one.text}"' if one.text else "", one.remark) if part]
        table.add_row(
            one.key,
            Text(plain(one.value)),
            Text(one.state, STATE_STYLES[one.state]),
            "" if one.count is None else str(one.count),
            Text("; ".join(shown)),
        )
    return table


def _jobs(samples: Sequence[Sample]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), title="First jobs")
    jobs = [asdict(sample.job) | {"outcome": sample.outcome or "?"} for sample in samples]
    for name in jobs[0]:
        table.add_column(name, overflow="fold")
    for job in jobs:
        table.add_row(*(Text(plain(str(text))) for text in job.values()))
    return table
