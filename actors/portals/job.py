"""A job as one row of a portal's table shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the job table, each field as it was read, "" where the portal shows nothing.

    Nothing is parsed here: portals leave fields out and write dates their own way, and what to do about
    that is the session's rule to decide, not the reader's.
    """

    ref: str
    """What the portal calls the job; never empty, as a row without one cannot be acted upon."""
    submitted: str = ""
    appt_date: str = ""
    appt_time: str = ""
    duration: str = ""
    language: str = ""
    job_type: str = ""
    status: str = ""
    """The portal's own word, e.g. "open"; its meaning is in the definition's `outcomes`."""
