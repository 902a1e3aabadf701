# As start with spawn, in a parent that holds 512 MiB.
import multiprocessing
import time


def nothing():
    pass


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    held = b"\x01" * (512 * 1024 * 1024)
    start = time.monotonic()
    for _ in range(50):
        process = multiprocessing.Process(target=nothing)
        process.start()
        process.join()
    print("seconds:", (time.monotonic() - start) / 50)
    print("held:", len(held))
