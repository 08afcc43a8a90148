"""dramatiq, measured like our queue: ``python dramatiq_peer.py SOCKET JOBS``.

With a hundred threads, and with the eight that a worker has by default.
A message is done when it is acknowledged.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

socket, count = sys.argv[1], int(sys.argv[2])


class Acknowledged(dramatiq.Middleware):
    """Waits for all messages to be acknowledged."""

    def __init__(self) -> None:
        self._left = count
        self._lock = threading.Lock()
        self.all = threading.Event()

    def after_ack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.all.set()


def measure(threads: int) -> tuple[float, float]:
    """Messages a second, sent one by one, and processed."""
    broker = RedisBroker(url=f"unix://{socket}")
    acknowledged = Acknowledged()
    broker.add_middleware(acknowledged)

    @dramatiq.actor(queue_name="bench", broker=broker)
    def noop(n: int) -> None:
        return None

    broker.flush_all()
    began = time.perf_counter()
    for n in range(count):
        noop.send(n)
    sent = count / (time.perf_counter() - began)
    began = time.perf_counter()
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=100)
    worker.start()
    acknowledged.all.wait(120)
    processed = count / (time.perf_counter() - began)
    worker.stop()
    return sent, processed


by_default = measure(8)[1]
added, processed = measure(100)
print(json.dumps({"add_by_1": added, "processed": processed, "processed_by_default": by_default}))  # noqa: T201
