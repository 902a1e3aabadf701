# Round trips over a Unix socket with authentication; prints their time.
import multiprocessing
import time
from multiprocessing.connection import Client, Listener


def echo(address, count):
    with Client(address, authkey=b"key") as connection:
        for _ in range(count):
            connection.send(connection.recv())


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    count = 20_000
    with Listener(authkey=b"key") as listener:
        child = multiprocessing.Process(target=echo, args=(listener.address, count))
        child.start()
        with listener.accept() as connection:
            start = time.monotonic()
            for i in range(count):
                connection.send(i)
                connection.recv()
            print("seconds:", time.monotonic() - start)
        child.join()
