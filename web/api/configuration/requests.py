"""Validates a configuration in a request, field by field, before anything is changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from actors.database.configurations.messages import ConfigurationChanges
from actors.database.rows import ConfigurationRow

from ...errors import Problem
from ..body_reader import BodyReader
from ..query_params import invalid_value

YEAR_SECONDS: Final = 31_536_000
MAX_TEXT_LENGTH: Final = 255
MAX_EXCLUDED_TYPES: Final = 100

READ_ONLY: Final = ("id", "is_active", "created_at", "updated_at")
"""Accepted if unchanged, because clients send back the whole configuration that they read."""
NULLABLE: Final = frozenset({"exclude_types", "created_at", "updated_at"})
"""Nullable columns of the Compatibility API; of these only ``exclude_types`` can be changed."""


def configuration_changes(fields: BodyReader, *, of: ConfigurationRow | None = None) -> ConfigurationChanges:
    """Parse the changes to the configuration ``of``; None for a new one.

    Raises:
        Problem: a field is unknown, read-only or invalid; names the first one found.
    """

    def seconds(name: str) -> int | None:
        return fields.integer(name, None, minimum=1, maximum=YEAR_SECONDS)

    interval = fields.number("check_interval_seconds", None, minimum=0.1, maximum=86_400, decimals=3)
    excluded = fields.labels("exclude_types", max_items=MAX_EXCLUDED_TYPES, max_length=MAX_TEXT_LENGTH)
    changes = ConfigurationChanges(
        config_name=fields.label("config_name", max_length=MAX_TEXT_LENGTH),
        check_interval_seconds=None if interval is None else Decimal(str(interval)),
        results_report_interval_seconds=seconds("results_report_interval_seconds"),
        rejected_report_interval_seconds=seconds("rejected_report_interval_seconds"),
        quick_check_interval_seconds=seconds("quick_check_interval_seconds"),
        enable_quick_check=fields.flag("enable_quick_check"),
        enable_results_reporting=fields.flag("enable_results_reporting"),
        enable_rejected_reporting=fields.flag("enable_rejected_reporting"),
        max_accept_per_run=fields.integer("max_accept_per_run", None, minimum=0, maximum=10_000),
        job_type_filter=fields.label("job_type_filter", max_length=MAX_TEXT_LENGTH, empty=True),
        exclude_types=() if fields.is_null("exclude_types") else excluded,
    )
    if of is not None:
        _check_read_only(fields, of)
    for name in sorted(fields.known - NULLABLE):
        if fields.is_null(name):
            raise Problem(422, "invalid_value", f"{name} must not be null.")
    fields.finish()
    return changes


def _check_read_only(fields: BodyReader, row: ConfigurationRow) -> None:
    """Check that the read-only fields that a client sends back are unchanged."""
    given = {name: fields.raw(name) for name in READ_ONLY}
    if given["id"] not in (None, str(row.id)):
        raise invalid_value("id", f"the id of this configuration, {row.id}", given["id"])
    if fields.flag("is_active") not in (None, row.is_active):
        current = "true" if row.is_active else "false"
        expected = f"{current}, its current value (activate a configuration to change it)"
        raise invalid_value("is_active", expected, given["is_active"])
