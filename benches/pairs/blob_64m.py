# A blob of 64 MiB, as bytes, over a pipe, a few times; prints the time from the first byte to the last answer.
import multiprocessing
import time


def swallow(connection, count):
    for _ in range(count):
        connection.send(len(connection.recv_bytes()))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    count = 8
    connection, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=swallow, args=(there, count + 1))
    process.start()
    message = bytes([7]) * (64 << 20)
    connection.send_bytes(message)
    connection.recv()
    start = time.monotonic()
    for _ in range(count):
        connection.send_bytes(message)
        connection.recv()
    print("seconds:", time.monotonic() - start)
    process.join()
