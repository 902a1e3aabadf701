# The Mandelbrot set.
import measure


def steps(x0, y0, most):
    x = 0.0
    y = 0.0
    for step in range(most):
        if x * x + y * y > 4.0:
            return step
        next = x * x - y * y + x0
        y = 2.0 * x * y + y0
        x = next
    return most


def job(width):
    height = width * 2 // 3
    total = 0
    for py in range(height):
        for px in range(width):
            total += steps(px * 3.5 / width - 2.5, py * 2.0 / height - 1.0, 100)
    return total


if __name__ == "__main__":
    measure.main(job, 120)
