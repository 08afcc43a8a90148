"""What can go wrong with the mirror, named for what the caller should think.

::

    MirrorFault
    ├─ RedisAway       not there, or not able to work now: it comes back, so wait
    └─ RedisRefused    it answered and will not have us: the configuration must change
"""

from __future__ import annotations


class MirrorFault(Exception):
    """Root of what this package raises on its own account; one sentence, without secrets."""


class RedisUnavailable(MirrorFault):
    """There is no Redis to work with at the moment."""


class RedisRejected(MirrorFault):
    """Redis does not let us do what we need, and will not until somebody changes a setting."""
