"""The solver, by itself and against all subsets."""

import random
import time
from itertools import combinations

from django.test import SimpleTestCase

from optimization.limits import MAX_CAPACITY, MAX_ITEMS
from optimization.solver import Item, solve


def brute_force(capacity: int, items: list[Item]) -> int:
    """Try every subset."""
    return max(
        sum(item.value for item in subset)
        for size in range(len(items) + 1)
        for subset in combinations(items, size)
        if sum(item.weight for item in subset) <= capacity
    )


class SolverTests(SimpleTestCase):
    """Known answers, edges, and 400 random problems."""

    def test_textbook(self) -> None:
        """The usual example."""
        solution = solve(50, [Item("a", 10, 60), Item("b", 20, 100), Item("c", 30, 120)])
        self.assertEqual((solution.value, solution.items), (220, ["b", "c"]))

    def test_edges(self) -> None:
        """Nothing fits, nothing is there, nothing weighs anything, everything fits."""
        one = Item("a", 1, 5)
        for capacity, items, value, names in (
            (0, [one], 0, []),
            (0, [], 0, []),
            (10, [], 0, []),
            (0, [Item("free", 0, 7), one], 7, ["free"]),
            (1, [one], 5, ["a"]),
            (100_000, [one, Item("b", 2, 6)], 11, ["a", "b"]),
            (5, [Item("worthless", 1, 0)], 0, []),
            (5, [Item("heavy", 1_000_000_000, 9), one], 5, ["a"]),
        ):
            with self.subTest(capacity=capacity, items=items):
                solution = solve(capacity, items)
                self.assertEqual((solution.value, solution.items), (value, names))

    def test_negative_is_refused(self) -> None:
        """No silent nonsense for callers that do not validate."""
        for capacity, item in ((-1, Item("a", 1, 1)), (1, Item("a", -1, 1)), (1, Item("a", 1, -1))):
            with self.subTest(capacity=capacity, item=item), self.assertRaises(ValueError):
                solve(capacity, [item])

    def test_against_brute_force(self) -> None:
        """The value is the best one, and the items named reach it within the capacity."""
        source = random.Random(20250101)  # noqa: S311
        for _ in range(400):
            items = [
                Item(str(index), source.randint(0, 30), source.randint(0, 50)) for index in range(source.randint(0, 10))
            ]
            capacity = source.randint(0, 120)
            solution = solve(capacity, items)
            chosen = [item for item in items if item.name in solution.items]
            with self.subTest(capacity=capacity, items=items):
                self.assertEqual(solution.value, brute_force(capacity, items))
                self.assertEqual(solution.value, sum(item.value for item in chosen))
                self.assertLessEqual(sum(item.weight for item in chosen), capacity)
                self.assertEqual(solution.items, [item.name for item in chosen])

    def test_largest_problem_is_quick(self) -> None:
        """The limits of the API keep a job far below the time limit of the task (45 s)."""
        source = random.Random(1)  # noqa: S311
        items = [Item(str(i), source.randint(1, 3000), source.randint(1, 10**9)) for i in range(MAX_ITEMS)]
        started = time.monotonic()
        self.assertGreater(solve(MAX_CAPACITY, items).value, 0)
        self.assertLess(time.monotonic() - started, 20)
