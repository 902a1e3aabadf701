# A million small messages from a child to its parent; prints the time from the first to the last.
import multiprocessing
import time


def produce(queue, count):
    for i in range(count):
        queue.put(i)


def consume(queue, count):
    total = queue.get()
    start = time.monotonic()
    for _ in range(1, count):
        total += queue.get()
    print("seconds:", time.monotonic() - start)
    return total


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    count = 1_000_000
    queue = multiprocessing.Queue()
    producer = multiprocessing.Process(target=produce, args=(queue, count))
    producer.start()
    print("sum:", consume(queue, count))
    producer.join()
