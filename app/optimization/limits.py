"""What one job may ask for. Together they bound the solver to a few seconds and 10 MB."""

MAX_ITEMS = 100
MAX_CAPACITY = 100_000
MAX_NUMBER = 1_000_000_000
"""Largest weight and largest value of one item."""
MAX_NAME_LENGTH = 100
MAX_BODY_BYTES = 256 * 1024
MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024
MAX_ATTEMPTS = 3
"""How often a job may take its worker down before it is given up."""
