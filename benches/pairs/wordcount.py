# wordcount.py DIR PROCESSES: the 20 most frequent words over all text files below DIR.
#
# A word is a maximal run of ASCII letters, in lower case. A file that can't be read, holds a NUL byte or is not
# UTF-8 is reported; the rest is counted.
import multiprocessing
import os
import re
import sys
from collections import Counter

WORD = re.compile(r"[A-Za-z]+")
BATCH = 64


def count_words(paths):
    words = Counter()
    problems = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error}")
            continue
        if "\0" in text:
            problems.append(f"{path}: binary")
            continue
        words.update(word.lower() for word in WORD.findall(text))
    return words, problems


def files_below(directory):
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    paths = list(files_below(sys.argv[1]))
    batches = [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)]
    total = Counter()
    failed = False
    with multiprocessing.Pool(int(sys.argv[2])) as pool:
        for words, problems in pool.imap_unordered(count_words, batches):
            total.update(words)
            for problem in problems:
                failed = True
                print(problem, file=sys.stderr)
    for word, count in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:20]:
        print(f"{word:20} {count:>10}")
    sys.exit(1 if failed else 0)
