"""Defaults of gunicorn, read from the working directory; options on the command line win."""

# One synchronous worker, the default, would let one slow request hold up all others.
workers = 2
threads = 4
timeout = 30
# Shorter than the container's stop grace.
graceful_timeout = 25
# Longer than a proxy keeps idle connections, so that it never sends a request into a closing one.
keepalive = 75
# A heartbeat file on a disk can block.
worker_tmp_dir = "/dev/shm"  # noqa: S108
accesslog = "-"
# Nobody uses it here, and its directory would have to be writable.
control_socket_disable = True
