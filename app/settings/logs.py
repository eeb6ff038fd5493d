"""Logging: always to standard output, and to LOG_FILE where that can be written."""

import sys
from pathlib import Path
from typing import Any


def is_writable(log_file: str) -> bool:
    """Tell whether the log file opens for appending; say so if not, because logging must not stop the app."""
    try:
        with Path(log_file).open("a", encoding="utf-8"):
            return True
    except OSError as error:
        sys.stderr.write(f"LOG_FILE {log_file} is not used: {error.strerror}. Logging to standard output only.\n")
        return False


def logging_config(level: str, log_file: str) -> dict[str, Any]:
    """Build the LOGGING dictionary."""
    handlers: dict[str, Any] = {
        "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"},
    }
    if log_file and is_writable(log_file):
        # Bounded, so that it cannot fill the disk. Processes that rotate at the same moment may lose a line here;
        # standard output still has it.
        handlers["file"] = {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": log_file,
            "maxBytes": 10 * 1024 * 1024,
            "backupCount": 3,
            "delay": True,
            "encoding": "utf-8",
            "formatter": "line",
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"}},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": level},
        # Django's own handlers would print these a second time, and its own level would win over LOG_LEVEL.
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.server": {"handlers": [], "propagate": True, "level": level},
        },
    }
