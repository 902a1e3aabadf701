# A small message there and back over a pipe, many times; prints the time.
import multiprocessing
import time


def answer(connection, count):
    for _ in range(count):
        connection.send(connection.recv())


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    count = 20_000
    connection, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=answer, args=(there, count + 1))
    process.start()
    connection.send(0)
    connection.recv()
    start = time.monotonic()
    for i in range(count):
        connection.send(i)
        connection.recv()
    print("seconds:", time.monotonic() - start)
    process.join()
