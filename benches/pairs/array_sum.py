# The sum of a million floats in an array; prints the time of one of several.
import multiprocessing
import time

array = multiprocessing.Array("d", 1_000_000)
array[:] = [0.5] * 1_000_000
start = time.monotonic()
for _ in range(2):
    with array.get_lock():
        total = sum(array.get_obj())
print("seconds:", (time.monotonic() - start) / 2)
print("sum:", total)
