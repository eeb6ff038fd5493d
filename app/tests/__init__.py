"""Tests, run by ../run-tests inside a container of the finished image, against real MySQL and Redis."""
