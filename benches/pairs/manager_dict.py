# Sets and gets through a proxy of a manager's dictionary, from so many clients at once; prints the time.
import multiprocessing
import sys
import time


def work(entries, ready, go, count):
    entries["warm"] = 0
    ready.put(None)
    go.get()
    for i in range(count):
        entries["key"] = i
        entries["key"]


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    clients = int(sys.argv[1])
    count = 20_000 // clients
    with multiprocessing.Manager() as manager:
        entries = manager.dict()
        if clients == 1:
            entries["warm"] = 0
            start = time.monotonic()
            for i in range(count):
                entries["key"] = i
                entries["key"]
            print("seconds:", time.monotonic() - start)
        else:
            ready, go = multiprocessing.Queue(), multiprocessing.Queue()
            processes = [
                multiprocessing.Process(target=work, args=(entries, ready, go, count)) for _ in range(clients)
            ]
            for process in processes:
                process.start()
            for _ in processes:
                ready.get()
            start = time.monotonic()
            for _ in processes:
                go.put(None)
            for process in processes:
                process.join()
            print("seconds:", time.monotonic() - start)
