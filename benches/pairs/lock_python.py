# A million times acquire and release of a free lock; prints the time of it.
import multiprocessing
import time


def main():
    lock = multiprocessing.Lock()
    start = time.monotonic()
    for _ in range(1_000_000):
        lock.acquire()
        lock.release()
    print("seconds:", time.monotonic() - start)


main()
