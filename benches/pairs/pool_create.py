# Makes a pool of eight by the start method argv[1], closes it and waits for its end; prints the mean time of that.
import multiprocessing
import sys
import time

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    count = 5
    # The first one may have to start the fork server.
    pool = multiprocessing.Pool(8)
    pool.close()
    pool.join()
    start = time.monotonic()
    for _ in range(count):
        pool = multiprocessing.Pool(8)
        pool.close()
        pool.join()
    print("seconds:", (time.monotonic() - start) / count)
