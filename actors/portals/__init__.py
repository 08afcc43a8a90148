"""Portals: the web sites that jobs come from, behind one protocol."""

from __future__ import annotations

from .definition.definition import PortalDefinition
from .definition.definition_file import load_definition
from .errors import (
    CannotScreenshot,
    DefinitionError,
    ForeignAddress,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalClosed,
    PortalError,
    PortalPaused,
    PortalUnavailable,
    SessionExpired,
    UnknownStatus,
)
from .portal import Credentials, Job, JobOutcome, Portal

__all__ = [
    "CannotScreenshot",
    "Credentials",
    "DefinitionError",
    "ForeignAddress",
    "Job",
    "JobOutcome",
    "JobTaken",
    "LoginRefused",
    "OutcomeUnknown",
    "PageChanged",
    "Portal",
    "PortalClosed",
    "PortalDefinition",
    "PortalError",
    "PortalPaused",
    "PortalUnavailable",
    "SessionExpired",
    "UnknownStatus",
    "load_definition",
]
