"""Knapsack problems: an API that takes them, a worker that solves them."""
