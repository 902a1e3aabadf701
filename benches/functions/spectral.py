# The spectral norm of a matrix.
from math import sqrt
import measure


def element(i, j):
    return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)


def times(v):
    result = []
    for i in range(len(v)):
        sum = 0.0
        for j in range(len(v)):
            sum += element(i, j) * v[j]
        result.append(sum)
    return result


def transposed_times(v):
    result = []
    for i in range(len(v)):
        sum = 0.0
        for j in range(len(v)):
            sum += element(j, i) * v[j]
        result.append(sum)
    return result


def job(n):
    u = []
    for i in range(n):
        u.append(1.0)
    v = []
    for _ in range(5):
        v = transposed_times(times(u))
        u = transposed_times(times(v))
    uv = 0.0
    vv = 0.0
    for i in range(n):
        uv += u[i] * v[i]
        vv += v[i] * v[i]
    return sqrt(uv / vv)


if __name__ == "__main__":
    measure.main(job, 100)
