# Reads ("get") or writes ("set") of single elements of an array with its lock; prints their time.
import multiprocessing
import sys
import time


def get(array, count):
    for _ in range(count):
        array[5]


def set(array, count):
    for _ in range(count):
        array[5] = 1.5


if __name__ == "__main__":
    array = multiprocessing.Array("d", 1000)
    start = time.monotonic()
    if sys.argv[1] == "get":
        get(array, 300_000)
    else:
        set(array, 300_000)
    print("seconds:", time.monotonic() - start)
