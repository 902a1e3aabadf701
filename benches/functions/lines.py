# Counting words from the lines of a file.
import sys

import measure


def job(path):
    counts = {}
    with open(path) as lines:
        for line in lines:
            for word in line.split():
                if len(word) < 2:
                    continue
                counts[word] = counts.get(word, 0) + 1
    longest = ""
    total = 0
    for word in counts.keys():
        total += counts[word]
        if len(word) > len(longest) or len(word) == len(longest) and word < longest:
            longest = word
    return f"{total} words, {len(counts)} different, the longest {longest}"


if __name__ == "__main__":
    measure.main(job, sys.argv[3])
