# A map of 100000 trivial tasks on a pool of two, argv[1] of them in a chunk, by default where that is 0; prints
# the time of one map.
import multiprocessing
import sys
import time


def square(x):
    return x * x


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    chunk = int(sys.argv[1]) or None
    count = 100_000
    with multiprocessing.Pool(2) as pool:
        pool.map(square, range(1000))
        start = time.monotonic()
        squares = pool.map(square, range(count), chunk)
        print("seconds:", time.monotonic() - start)
        print("last:", squares[count - 1])
