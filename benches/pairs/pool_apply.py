# Tasks one after another, each begun when the one before has come back; prints the mean time of one.
import multiprocessing
import time


def square(x):
    return x * x


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    count = 10_000
    with multiprocessing.Pool(2) as pool:
        pool.map(square, range(1000))
        start = time.monotonic()
        for i in range(count):
            pool.apply(square, (i,))
        print("seconds:", (time.monotonic() - start) / count)
