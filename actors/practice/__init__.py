"""The practice portal as a supervised child process: a real web site to work on."""

from __future__ import annotations

from .portal_server import PracticePortal

__all__ = ["PracticePortal"]
