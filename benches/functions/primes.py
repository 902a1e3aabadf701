# Primes by trial division.
import measure


def is_prime(n):
    if n < 2:
        return False
    i = 2
    while i * i <= n:
        if n % i == 0:
            return False
        i += 1
    return True


def job(n):
    count = 0
    for i in range(n):
        if is_prime(i):
            count += 1
    return count


if __name__ == "__main__":
    measure.main(job, 30000)
