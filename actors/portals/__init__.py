"""Portals: the web sites that jobs come from, behind one protocol."""

from __future__ import annotations

from .definition import PortalDefinition, load_definition
from .errors import (
    DefinitionError,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalError,
    PortalUnavailable,
    SessionExpired,
)
from .job import Job
from .portal import Credentials, Outcome, Portal

__all__ = [
    "Credentials",
    "DefinitionError",
    "Job",
    "JobTaken",
    "LoginRefused",
    "Outcome",
    "OutcomeUnknown",
    "PageChanged",
    "Portal",
    "PortalDefinition",
    "PortalError",
    "PortalUnavailable",
    "SessionExpired",
    "load_definition",
]
