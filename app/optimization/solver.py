"""0/1 knapsack by dynamic programming. Pure: no Django, no Celery."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """Something that is taken once or not at all."""

    name: str
    weight: int
    value: int


@dataclass(frozen=True)
class Solution:
    """The best value, and the names of the items that reach it, in the order given."""

    value: int
    items: list[str]


def solve(capacity: int, items: Sequence[Item]) -> Solution:
    """Choose the items of the highest total value whose total weight is within the capacity.

    Time is len(items) * capacity, memory one byte for each of these. Of several best choices the same one is
    returned every time: an item is taken only if it makes the total better.
    """
    if capacity < 0 or any(item.weight < 0 or item.value < 0 for item in items):
        message = "capacity, weights and values must not be negative"
        raise ValueError(message)
    capacity = min(capacity, sum(item.weight for item in items))
    best = [0] * (capacity + 1)
    taken: list[bytes] = []
    for item in items:
        if item.weight > capacity:
            taken.append(b"")
            continue
        with_item = [value + item.value for value in best[: capacity + 1 - item.weight]]
        without = best[item.weight :]
        row = bytes(new > old for new, old in zip(with_item, without, strict=True))
        best[item.weight :] = map(max, with_item, without)
        taken.append(row)

    chosen: list[str] = []
    room = capacity
    for item, row in zip(reversed(items), reversed(taken), strict=True):
        index = room - item.weight
        if 0 <= index < len(row) and row[index]:
            chosen.append(item.name)
            room = index
    return Solution(best[capacity], chosen[::-1])
