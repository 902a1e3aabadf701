# Starts and joins processes one after another by the start method argv[1], with a pause of argv[2] seconds
# before each; prints the mean time of one without its pause.
import multiprocessing
import sys
import time


def nothing():
    pass


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    pause = float(sys.argv[2])
    count = 100
    # The first one may have to start the fork server.
    process = multiprocessing.Process(target=nothing)
    process.start()
    process.join()
    spent = 0.0
    for _ in range(count):
        if pause > 0:
            time.sleep(pause)
        start = time.monotonic()
        process = multiprocessing.Process(target=nothing)
        process.start()
        process.join()
        spent += time.monotonic() - start
    print("seconds:", spent / count)
