"""Checks the services that this instance depends on, and reports their health."""
