# Fibonacci numbers by recursion.
import measure


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def job(n):
    return fib(n)


if __name__ == "__main__":
    measure.main(job, 25)
