# checksums.py DIR PROCESSES: the SHA-256 of every file below DIR, as sha256sum prints it.
import hashlib
import multiprocessing
import os
import sys


def checksum(path):
    try:
        with open(path, "rb") as file:
            return path, hashlib.file_digest(file, "sha256").hexdigest(), None
    except OSError as error:
        return path, None, f"{path}: {error.strerror}"


def files_below(directory):
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found.append(path)
    return sorted(found)


def line(path, digest):
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "\\" if escaped != path else ""
    return f"{mark}{digest}  {escaped}"


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    failed = False
    with multiprocessing.Pool(int(sys.argv[2])) as pool:
        for path, digest, problem in pool.imap(checksum, files_below(sys.argv[1]), chunksize=32):
            if problem is None:
                print(line(path, digest))
            else:
                failed = True
                print(problem, file=sys.stderr)
    sys.exit(1 if failed else 0)
