"""SQL of configurations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from ..errors import ConfigurationNameTaken, NoSuchConfiguration
from ..events import ConfigurationChanged
from ..rows import ConfigurationRow
from ..sql_plan import Parameters, ReplyWithEvent, SqlPlan, Statement
from .messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationChanges,
    ConfigurationQuery,
    CreateConfiguration,
)

CHANGEABLE_FIELDS: Final = tuple(field.name for field in fields(ConfigurationChanges))
"""Fields of a configuration that can be changed."""

# Key of the advisory lock that makes instances activate one after the other: "botvisoc" in ASCII.
_ACTIVATION_LOCK: Final = 0x626F747669736F63

_SET: Final[LiteralString] = """
    config_name = coalesce(%(config_name)s, this.config_name),
    check_interval_seconds = coalesce(%(check_interval_seconds)s, this.check_interval_seconds),
    results_report_interval_seconds
        = coalesce(%(results_report_interval_seconds)s, this.results_report_interval_seconds),
    rejected_report_interval_seconds
        = coalesce(%(rejected_report_interval_seconds)s, this.rejected_report_interval_seconds),
    quick_check_interval_seconds
        = coalesce(%(quick_check_interval_seconds)s, this.quick_check_interval_seconds),
    enable_quick_check = coalesce(%(enable_quick_check)s, this.enable_quick_check),
    enable_results_reporting = coalesce(%(enable_results_reporting)s, this.enable_results_reporting),
    enable_rejected_reporting = coalesce(%(enable_rejected_reporting)s, this.enable_rejected_reporting),
    max_accept_per_run = coalesce(%(max_accept_per_run)s, this.max_accept_per_run),
    job_type_filter = coalesce(%(job_type_filter)s, this.job_type_filter),
    exclude_types = coalesce(%(exclude_types)s::text[], this.exclude_types)
"""
"""Null leaves a value unchanged, so concurrent changes of different fields do not undo each other."""


def configuration(query: ConfigurationQuery) -> SqlPlan:
    """One configuration, or the active one."""

    def read(rows: Sequence[DictRow]) -> ConfigurationRow:
        if rows:
            return configuration_row(rows[0])
        raise _no_such(query.config_id)

    statement = Statement(
        sql=f"""
            select {CONFIGURATION} from bot_configurations
            where case when %(id)s::uuid is null then is_active else id = %(id)s end
        """,
        parameters={"id": query.config_id},
    )
    return SqlPlan(statements=(statement,), read=read)


def configurations() -> SqlPlan:
    """All configurations by name, the active one first."""

    def read(rows: Sequence[DictRow]) -> list[ConfigurationRow]:
        return [configuration_row(row) for row in rows]

    statement = Statement(
        sql=f"select {CONFIGURATION} from bot_configurations order by is_active desc, config_name",
        parameters={},
    )
    return SqlPlan(statements=(statement,), read=read)


def change_configuration(write: ChangeConfiguration) -> SqlPlan:
    """Lock and change it; the reply and the event are made from its values before and after."""
    statement = Statement(
        sql=f"""
            with former as (
                select *, exists (
                    select from bot_configurations as other
                    where other.config_name = %(config_name)s::text and other.id <> this.id
                ) as taken
                from bot_configurations as this
                where case when %(id)s::uuid is null then is_active else id = %(id)s end
                for update
            ), changed as (
                update bot_configurations as this set {_SET}, updated_at = now()
                from former where this.id = former.id and not former.taken
                returning this.*
            )
            select 1 as position, taken, {CONFIGURATION} from former
            union all select 2, false, {CONFIGURATION} from changed
            order by position
        """,
        parameters={"id": write.config_id, **_parameters(write.changes)},
    )

    def read(rows: Sequence[DictRow]) -> ConfigurationRow | ReplyWithEvent:
        match rows:
            case [former, changed]:
                return _reply(_row(former), _row(changed))
            case [{"taken": True}]:
                raise _taken(write.changes.config_name)
            case _:
                raise _no_such(write.config_id)

    return SqlPlan(statements=(statement,), read=read)


def create_configuration(write: CreateConfiguration) -> SqlPlan:
    """Insert it with the table's defaults, then set the values that are given."""
    name = Statement(
        sql="""
            insert into bot_configurations (id, config_name) values (%(id)s, %(config_name)s)
            on conflict do nothing
        """,
        parameters={"id": write.id, "config_name": write.config_name},
    )
    values = Statement(
        # Only in the transaction that inserted it: a repeated message must not undo later changes.
        sql=f"update bot_configurations as this set {_SET} where id = %(id)s and created_at = now()",
        parameters={"id": write.id, **_parameters(write.values)},
    )

    def read(rows: Sequence[DictRow]) -> ConfigurationRow:
        if not rows:
            raise _taken(write.config_name)
        return configuration_row(rows[0])

    return SqlPlan(statements=(name, values, _by_id(write.id)), read=read)


def activate_configuration(write: ActivateConfiguration) -> SqlPlan:
    """Two updates, since the unique index never allows two active configurations."""
    statements = (
        Statement(sql="select pg_advisory_xact_lock(%(lock)s)", parameters={"lock": _ACTIVATION_LOCK}),
        Statement(
            sql="""
                update bot_configurations set is_active = false, updated_at = now()
                where is_active and id <> %(id)s
                    and exists (select from bot_configurations where id = %(id)s)
            """,
            parameters={"id": write.config_id},
        ),
        Statement(
            sql=f"""
                with activated as (
                    update bot_configurations set is_active = true, updated_at = now()
                    where id = %(id)s and not is_active
                    returning *
                )
                select true as changed, {CONFIGURATION} from activated
                union all
                select false, {CONFIGURATION} from bot_configurations where id = %(id)s and is_active
            """,
            parameters={"id": write.config_id},
        ),
    )

    def read(rows: Sequence[DictRow]) -> ConfigurationRow | ReplyWithEvent:
        if not rows:
            raise _no_such(write.config_id)
        configuration = _row(rows[0])
        if not rows[0]["changed"]:
            return configuration
        event = ConfigurationChanged(configuration=configuration, changed=("is_active",))
        return ReplyWithEvent(reply=configuration, event=event)

    return SqlPlan(statements=statements, read=read)


def _by_id(config_id: UUID) -> Statement:
    return Statement(
        sql=f"select {CONFIGURATION} from bot_configurations where id = %(id)s", parameters={"id": config_id}
    )


def _parameters(changes: ConfigurationChanges) -> Parameters:
    excluded = changes.exclude_types
    return {
        "config_name": changes.config_name,
        "check_interval_seconds": changes.check_interval_seconds,
        "results_report_interval_seconds": changes.results_report_interval_seconds,
        "rejected_report_interval_seconds": changes.rejected_report_interval_seconds,
        "quick_check_interval_seconds": changes.quick_check_interval_seconds,
        "enable_quick_check": changes.enable_quick_check,
        "enable_results_reporting": changes.enable_results_reporting,
        "enable_rejected_reporting": changes.enable_rejected_reporting,
        "max_accept_per_run": changes.max_accept_per_run,
        "job_type_filter": changes.job_type_filter,
        "exclude_types": None if excluded is None else list(excluded),
    }


def _row(row: DictRow) -> ConfigurationRow:
    """The configuration of a row that has further columns."""
    return configuration_row({column.name: row[column.name] for column in fields(ConfigurationRow)})


def _reply(former: ConfigurationRow, now: ConfigurationRow) -> ConfigurationRow | ReplyWithEvent:
    changed = tuple(name for name in CHANGEABLE_FIELDS if getattr(former, name) != getattr(now, name))
    if not changed:
        return now
    return ReplyWithEvent(reply=now, event=ConfigurationChanged(configuration=now, changed=changed))


def _no_such(config_id: UUID | None) -> NoSuchConfiguration:
    if config_id is None:
        return NoSuchConfiguration("no configuration is active")
    return NoSuchConfiguration(f"configuration {config_id} does not exist")


def _taken(name: str | None) -> ConfigurationNameTaken:
    return ConfigurationNameTaken(f"a configuration named {name!r} already exists")


CONFIGURATION: Final[LiteralString] = (
    "id, config_name, check_interval_seconds, results_report_interval_seconds,"
    " rejected_report_interval_seconds, quick_check_interval_seconds, enable_quick_check,"
    " enable_results_reporting, enable_rejected_reporting, max_accept_per_run, job_type_filter,"
    " exclude_types, is_active, created_at, updated_at"
)


def configuration_row(row: DictRow) -> ConfigurationRow:
    """The columns of `CONFIGURATION` as a row."""
    row["exclude_types"] = tuple(row["exclude_types"] or ())
    return ConfigurationRow(**row)
