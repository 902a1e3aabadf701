# What is made of a million numbers: "sum", "max", "dot", "histogram" of a list, "sort" of a shared array.
import multiprocessing
import sys
import time


def histogram(numbers, bins, low, high):
    counts = [0] * bins
    scale = bins / (high - low)
    for number in numbers:
        if low <= number <= high:
            counts[min(int((number - low) * scale), bins - 1)] += 1
    return counts


a = [(i * 7919 % 1_000_003) * 0.5 for i in range(1_000_000)]
shared = multiprocessing.RawArray("d", a)
what = sys.argv[1]
best = None
result = None
for _ in range(3):
    if what == "sort":
        shared[:] = a
    start = time.monotonic()
    if what == "sum":
        result = sum(a)
    elif what == "max":
        result = max(a)
    elif what == "dot":
        result = sum(x * y for x, y in zip(a, a))
    elif what == "histogram":
        result = histogram(a, 100, 0.0, 500_001.5)
    else:
        shared[:] = sorted(shared)
    elapsed = time.monotonic() - start
    best = elapsed if best is None else min(best, elapsed)
print("seconds:", best)
print("result:", shared[1000] if what == "sort" else result[50] if what == "histogram" else result)
