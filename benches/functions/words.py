# Counting words in a map.
import measure


def text(n):
    text = ""
    seed = 42
    for i in range(n):
        seed = (seed * 1103515245 + 12345) % 2147483648
        text += f"word{seed % 1000} "
    return text


def job(n):
    counts = {}
    for word in text(n).split():
        if word in counts:
            counts[word] += 1
        else:
            counts[word] = 1
    best = ""
    most = 0
    for word in counts.keys():
        if counts[word] > most or counts[word] == most and word < best:
            most = counts[word]
            best = word
    return f"{best} {most} of {len(counts)}"


if __name__ == "__main__":
    measure.main(job, 40000)
