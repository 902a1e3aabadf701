# Items put and got through a manager's queue by one client; prints the time.
import multiprocessing
import time

if __name__ == "__main__":
    count = 10_000
    with multiprocessing.Manager() as manager:
        queue = manager.Queue()
        queue.put(0)
        queue.get()
        start = time.monotonic()
        for i in range(count):
            queue.put(i)
            queue.get()
        print("seconds:", time.monotonic() - start)
