"""The garbage collector of a process that is a tree."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from runtime import freeze_heap

class Knot:
    def __init__(self):
        self.itself = self
        alive.add(id(self))
    def __del__(self):
        alive.discard(id(self))

alive = set()
kept = Knot()
freeze_heap()
assert gc.get_freeze_count() > 1000
assert id(kept) in alive
Knot()
assert len(alive) == 2
while len(alive) > 1:
    made = [[] for _ in range(gc.get_threshold()[0])]
print("collected")
"""


def test_what_comes_after_the_freeze_is_collected_all_the_same():
    """A cycle made later is found, in the usual course of things. In a process of its own: it is for good."""
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (answer.stdout, answer.stderr) == ("collected\n", "")
