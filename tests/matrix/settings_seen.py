# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A process of the sample project: takes environments on its input, and says what its settings make of each.

It runs by itself, so that the settings are read by nothing but what the sample uses.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    """Read the settings anew for each environment."""
    found = []
    base = dict(os.environ)
    module = None
    for environment in json.load(sys.stdin):
        os.environ.clear()
        os.environ.update({**base, **environment})
        name = environment["DJANGO_SETTINGS_MODULE"]
        module = importlib.reload(module) if module else importlib.import_module(name)
        found.append(
            {
                "database": module.DATABASES["default"]["PASSWORD"],
                "key": module.SECRET_KEY,
                "mail": module.EMAIL_HOST_PASSWORD,
                "urls": [module.CACHES["default"]["LOCATION"], module.CELERY_BROKER_URL, module.CELERY_RESULT_BACKEND],
            }
        )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
