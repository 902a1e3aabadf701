# A loop over ints.
import measure


def job(n):
    i = 0
    sum = 0
    while i < n:
        sum += i % 7
        i += 1
    return sum


if __name__ == "__main__":
    measure.main(job, 700000)
