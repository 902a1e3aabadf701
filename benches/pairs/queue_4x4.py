# Four producers and four consumers of small ints; prints the time from the start signal to the last sum.
import multiprocessing
import time


def produce(queue, gate, count):
    gate.recv()
    for i in range(count):
        queue.put(i)


def consume(queue, results, count):
    total = 0
    for _ in range(count):
        total += queue.get()
    results.put(total)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    count = 100_000
    queue = multiprocessing.Queue()
    results = multiprocessing.Queue()
    processes = []
    gates = []
    for _ in range(4):
        here, there = multiprocessing.Pipe()
        gates.append(here)
        processes.append(multiprocessing.Process(target=produce, args=(queue, there, count)))
        processes.append(multiprocessing.Process(target=consume, args=(queue, results, count)))
    for process in processes:
        process.start()
    time.sleep(0.5)
    start = time.monotonic()
    for gate in gates:
        gate.send(1)
    total = sum(results.get() for _ in range(4))
    print("seconds:", time.monotonic() - start)
    print("sum:", total)
    for process in processes:
        process.join()
