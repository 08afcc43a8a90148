"""The practice portal: a web site with jobs from a seed, and with the faults of a real portal.

It runs in its own process (`python -m web.practice`) and imports nothing else of botvisor.
"""
