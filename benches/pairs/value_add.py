# Additions to one value under its lock, by so many processes; prints the time until all are done.
import multiprocessing
import sys
import time


def add(value, count):
    for _ in range(count):
        with value.get_lock():
            value.value += 1


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    processes = int(sys.argv[1])
    count = 200_000 // processes
    value = multiprocessing.Value("q", 0)
    start = time.monotonic()
    if processes == 1:
        add(value, count)
    else:
        adders = [multiprocessing.Process(target=add, args=(value, count)) for _ in range(processes)]
        for adder in adders:
            adder.start()
        for adder in adders:
            adder.join()
    print("seconds:", time.monotonic() - start)
    print("total:", value.value)
