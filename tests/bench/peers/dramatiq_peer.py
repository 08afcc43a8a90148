"""dramatiq, measured as our queue is: python dramatiq_peer.py SOCKET JOBS"""

from __future__ import annotations

import json
import sys
import threading
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

socket, count = sys.argv[1], int(sys.argv[2])
broker = RedisBroker(url=f"unix://{socket}")
dramatiq.set_broker(broker)
left = count
done = threading.Event()
lock = threading.Lock()


@dramatiq.actor(queue_name="bench")
def noop(n: int) -> None:
    global left
    with lock:
        left -= 1
        if left == 0:
            done.set()


broker.flush_all()
began = time.perf_counter()
for n in range(count):
    noop.send(n)
added = count / (time.perf_counter() - began)
began = time.perf_counter()
worker = dramatiq.Worker(broker, worker_threads=100, worker_timeout=100)
worker.start()
done.wait(120)
processed = count / (time.perf_counter() - began)
worker.stop()
print(json.dumps({"add_by_1": added, "processed": processed}))  # noqa: T201
