# Starts and joins one process after another; prints the mean time of one.
import multiprocessing
import time


def nothing():
    pass


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    start = time.monotonic()
    for _ in range(50):
        process = multiprocessing.Process(target=nothing)
        process.start()
        process.join()
    print("seconds:", (time.monotonic() - start) / 50)
