"""The practice portal: a real web site with jobs to work on, seeded, with the moods of a real one.

A separate site in a process of its own (`python -m web.practice`); it imports nothing of botvisor.
"""
