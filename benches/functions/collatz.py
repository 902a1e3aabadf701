# The longest chain of Collatz below a number.
import measure


def chain(n):
    length = 1
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        length += 1
    return length


def job(n):
    longest = 0
    start = 0
    for i in range(1, n):
        length = chain(i)
        if length > longest:
            longest = length
            start = i
    return start * 1000 + longest


if __name__ == "__main__":
    measure.main(job, 6000)
