# The sieve of Eratosthenes.
import measure


def job(n):
    prime = []
    for i in range(n):
        prime.append(True)
    i = 2
    while i * i < n:
        if prime[i]:
            j = i * i
            while j < n:
                prime[j] = False
                j += i
        i += 1
    count = 0
    for k in range(2, n):
        if prime[k]:
            count += 1
    return count


if __name__ == "__main__":
    measure.main(job, 200000)
