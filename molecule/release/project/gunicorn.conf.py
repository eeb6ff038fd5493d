"""Defaults of gunicorn; options on the command line win."""

bind = "0.0.0.0:8000"
workers = 2
# The slow requests must not hold up the others.
threads = 8
timeout = 60
graceful_timeout = 25
keepalive = 75
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
