# The shortest ways in a maze, with an array as the queue.
import measure


def job(n):
    seen = []
    for i in range(n * n):
        seen.append(False)
    queue = [[0, 0, 0]]
    seen[0] = True
    farthest = 0
    steps = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    while queue:
        place = queue.pop(0)
        distance = place[2]
        if distance > farthest:
            farthest = distance
        for step in steps:
            x = place[0] + step[0]
            y = place[1] + step[1]
            if x < 0 or y < 0 or x >= n or y >= n:
                continue
            if (x * y + 2 * x) % 7 == 3 or seen[y * n + x]:
                continue
            seen[y * n + x] = True
            queue.append([x, y, distance + 1])
    return farthest


if __name__ == "__main__":
    measure.main(job, 150)
