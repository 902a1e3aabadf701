# Times a function of a script: `alone` in this process, or `pool`, four calls on two workers.
#
# Prints the best time of so many runs, which the driver gives as the second argument, and the result.
import multiprocessing
import sys
import time


def main(job, argument):
    runs = int(sys.argv[2])
    best = None
    result = None
    if sys.argv[1] == "pool":
        with multiprocessing.Pool(2) as pool:
            pool.map(job, [argument, argument])
            for _ in range(runs):
                start = time.monotonic()
                result = pool.map(job, [argument] * 4, 1)
                elapsed = time.monotonic() - start
                best = elapsed if best is None else min(best, elapsed)
        result = result[3]
    else:
        for _ in range(runs):
            start = time.monotonic()
            result = job(argument)
            elapsed = time.monotonic() - start
            best = elapsed if best is None else min(best, elapsed)
    print("seconds:", best)
    print("result:", result)
