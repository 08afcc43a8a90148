"""A configuration in a request, checked field by field before anything is changed; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from actors.database.configurations.messages import ConfigurationChanges
from actors.database.rows import ConfigurationRow

from ..body_reader import BodyReader
from ..query_params import unfit

YEAR: Final = 31_536_000
LONGEST: Final = 255
MOST_TYPES: Final = 100

READ_ONLY: Final = ("id", "is_active", "created_at", "updated_at")
"""Clients send back the whole configuration that they were given, these included."""
NULLABLE: Final = frozenset({"exclude_types", "created_at", "updated_at"})
"""The Compatibility API's columns that may be null, of which only the excluded types can be changed."""


def configuration_changes(fields: BodyReader, *, of: ConfigurationRow | None = None) -> ConfigurationChanges:
    """What a request wants changed; ``of`` is the configuration as it stands, None where it is a new one.

    Raises:
        Problem: a field is not known, not to be changed, or not as expected. It names one of them.
    """

    def seconds(name: str) -> int | None:
        return fields.whole(name, None, least=1, most=YEAR)

    interval = fields.number("check_interval_seconds", None, least=0.1, most=86_400, decimals=3)
    excluded = fields.labels("exclude_types", count=MOST_TYPES, most=LONGEST)
    changes = ConfigurationChanges(
        config_name=fields.label("config_name", most=LONGEST),
        check_interval_seconds=None if interval is None else Decimal(str(interval)),
        results_report_interval_seconds=seconds("results_report_interval_seconds"),
        rejected_report_interval_seconds=seconds("rejected_report_interval_seconds"),
        quick_check_interval_seconds=seconds("quick_check_interval_seconds"),
        enable_quick_check=fields.flag("enable_quick_check"),
        enable_results_reporting=fields.flag("enable_results_reporting"),
        enable_rejected_reporting=fields.flag("enable_rejected_reporting"),
        max_accept_per_run=fields.whole("max_accept_per_run", None, least=0, most=10_000),
        job_type_filter=fields.label("job_type_filter", most=LONGEST, empty=True),
        exclude_types=() if fields.is_null("exclude_types") else excluded,
    )
    if of is not None:
        _leave_as_it_is(fields, of)
    for name in sorted(fields.known - NULLABLE):
        if fields.is_null(name):
            raise unfit(name, "left out or have a value", None)
    fields.end()
    return changes


def _leave_as_it_is(fields: BodyReader, row: ConfigurationRow) -> None:
    """Take what a client sends back of the fields that only the record writes."""
    given = {name: fields.anything(name) for name in READ_ONLY}
    if given["id"] not in (None, str(row.id)):
        raise unfit("id", f"that of this configuration, {row.id}", given["id"])
    if fields.flag("is_active") not in (None, row.is_active):
        expected = f"{'true' if row.is_active else 'false'}, as it is (activate a configuration to change it)"
        raise unfit("is_active", expected, given["is_active"])
