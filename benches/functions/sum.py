# The sum of an array, a few times.
import measure


def total(numbers):
    sum = 0
    for number in numbers:
        sum += number
    return sum


def job(n):
    numbers = []
    for i in range(n):
        numbers.append(i)
    sum = 0
    for round in range(10):
        sum += total(numbers)
    return sum


if __name__ == "__main__":
    measure.main(job, 150000)
