# A blob of 64 MiB over a pipe, a few times, as a value ("value") or as bytes ("bytes"); prints the time from the first
# byte to the last answer.
import multiprocessing
import sys
import time


def swallow(connection, count, as_bytes):
    for _ in range(count):
        message = connection.recv_bytes() if as_bytes else connection.recv()
        connection.send(len(message))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    as_bytes = sys.argv[1] == "bytes"
    count = 8
    connection, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=swallow, args=(there, count + 1, as_bytes))
    process.start()
    message = bytes([7]) * (64 << 20)
    start = 0
    for i in range(count + 1):
        if as_bytes:
            connection.send_bytes(message)
        else:
            connection.send(message)
        connection.recv()
        if i == 0:
            start = time.monotonic()
    print("seconds:", time.monotonic() - start)
    process.join()
