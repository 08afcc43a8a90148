// BullMQ on Node, measured like our queue: node bullmq.mjs SOCKET JOBS
// Prints one JSON object: jobs a second, added one by one, by 32 callers, in bulk, and processed 100 at a time.
import { Queue, Worker } from "bullmq";
import IORedis from "ioredis";

const [socket, count] = [process.argv[2], Number(process.argv[3])];
const connect = () => new IORedis({ path: socket, maxRetriesPerRequest: null });
const rate = (jobs, began) => jobs / ((performance.now() - began) / 1000);

async function emptied(name) {
  const queue = new Queue(name, { connection: connect() });
  await queue.obliterate({ force: true });
  return queue;
}

async function one() {
  const queue = await emptied("one");
  const jobs = Math.ceil(count / 10);
  const began = performance.now();
  for (let n = 0; n < jobs; n += 1) await queue.add("noop", { n });
  return rate(jobs, began);
}

async function many() {
  const queue = await emptied("many");
  const began = performance.now();
  let next = 0;
  const caller = async () => {
    while (next < count) await queue.add("noop", { n: (next += 1) });
  };
  await Promise.all(Array.from({ length: 32 }, caller));
  return rate(count, began);
}

async function bulk(queue) {
  const began = performance.now();
  for (let n = 0; n < count; n += 1000) {
    const size = Math.min(1000, count - n);
    await queue.addBulk(Array.from({ length: size }, (_, i) => ({ name: "noop", data: { n: n + i } })));
  }
  return rate(count, began);
}

async function processed(name) {
  return new Promise((resolve) => {
    let done = 0;
    const began = performance.now();
    const worker = new Worker(name, async () => null, { connection: connect(), concurrency: 100 });
    worker.on("completed", () => {
      done += 1;
      if (done === count) resolve(rate(count, began));
    });
  });
}

const queue = await emptied("bulk");
const figures = { add_by_1: await one(), add_by_32: await many(), add_bulk: await bulk(queue) };
figures.processed = await processed("bulk");
process.stdout.write(JSON.stringify(figures) + "\n");
process.exit(0);
