# A map of 1000 tasks that all need the same 100 MiB; prints its time.
import functools
import multiprocessing
import time


def add(data, x):
    return data[x] + x


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    with multiprocessing.Pool(2) as pool:
        pool.map(abs, range(1000))
        data = b"\7" * (100 << 20)
        start = time.monotonic()
        sums = pool.map(functools.partial(add, data), range(1000))
        print("seconds:", time.monotonic() - start)
        print("last:", sums[999])
