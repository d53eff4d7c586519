"""Loops over numbers: a Mandelbrot set, a sieve, matrices, a moving average."""

from __future__ import annotations


def inputs(size: int) -> tuple[int, float, list[float]]:
    return (10 + size // 2, 0.25, [n % 31 * 1.5 for n in range(40 * size)])


def work(given: tuple[int, float, list[float]]) -> tuple[int, int, float, list[float]]:
    width, offset, series = given
    return mandelbrot(width, offset), len(primes(width * 40)), product(width // 2), smooth(series, offset)


def mandelbrot(width: int, offset: float) -> int:
    inside = 0
    for row in range(width):
        for column in range(width):
            x = y = 0.0
            a = 3.0 * column / width - 2.0 - offset
            b = 2.0 * row / width - 1.0
            for _ in range(30):
                x, y = x * x - y * y + a, 2 * x * y + b
                if x * x + y * y > 4:
                    break
            else:
                inside += 1
    return inside


def primes(limit: int) -> list[int]:
    sieve = [True] * limit
    for n in range(2, int(limit**0.5) + 1):
        if sieve[n]:
            for multiple in range(n * n, limit, n):
                sieve[multiple] = False
    return [n for n in range(2, limit) if sieve[n]]


def product(size: int) -> float:
    left = [[i * j + 1.0 for j in range(size)] for i in range(size)]
    right = [[i - j + 0.5 for j in range(size)] for i in range(size)]
    total = 0.0
    for i in range(size):
        for j in range(size):
            cell = 0.0
            for k in range(size):
                cell += left[i][k] * right[k][j]
            total += cell
    return total


def smooth(series: list[float], weight: float) -> list[float]:
    level = series[0]
    smoothed = []
    for value in series:
        level = level * (1 - weight) + value * weight
        smoothed.append(round(level, 3))
    return smoothed
