# A long string out of many short ones.
import measure


def job(n):
    text = ""
    for i in range(n):
        text += f"{i}: {i * i}"
        if i % 3 == 0:
            text += ", odd"
        else:
            text += ", " + "even".upper()
        text += "\n"
    return len(text)


if __name__ == "__main__":
    measure.main(job, 100000)
