# Sorting with a closure that compares.
from functools import cmp_to_key
import measure


def job(n):
    people = []
    seed = 7
    for i in range(n):
        seed = (seed * 1103515245 + 12345) % 2147483648
        people.append({"id": i, "age": seed % 1000})
    people.sort(key=cmp_to_key(lambda a, b: a["age"] - b["age"] if a["age"] != b["age"] else a["id"] - b["id"]))
    sum = 0
    for i in range(n):
        sum += i * people[i]["age"]
    return sum


if __name__ == "__main__":
    measure.main(job, 10000)
