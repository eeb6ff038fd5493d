"""What is recorded: requests, executions, ticks. Nothing is unique, so that what comes twice is seen twice."""

from .entry import Entry
from .execution import Execution
from .tick import Tick

__all__ = ["Entry", "Execution", "Tick"]
