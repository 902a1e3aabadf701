# The product of two matrices, arrays of arrays.
import measure


def matrix(n, seed):
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            row.append(seed * (i - j) * (i + j))
        rows.append(row)
    return rows


def product(a, b):
    n = len(a)
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            sum = 0.0
            for k in range(n):
                sum += a[i][k] * b[k][j]
            row.append(sum)
        rows.append(row)
    return rows


def job(n):
    c = product(matrix(n, 1.0 / n / n), matrix(n, 1.0 / n))
    return c[n // 2][n // 3]


if __name__ == "__main__":
    measure.main(job, 90)
