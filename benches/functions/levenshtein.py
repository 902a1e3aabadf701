# The edit distance of strings.
import measure


def distance(a, b):
    previous = []
    for j in range(len(b) + 1):
        previous.append(j)
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            row.append(min(min(row[j - 1] + 1, previous[j] + 1), previous[j - 1] + cost))
        previous = row
    return previous[len(b)]


def job(n):
    words = ["kitten", "sitting", "saturday", "sunday", "multiprocessing", "interpreter", "differential"]
    sum = 0
    for _ in range(n):
        for a in words:
            for b in words:
                sum += distance(a, b)
    return sum


if __name__ == "__main__":
    measure.main(job, 15)
