# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A superuser whose password has every sign that means something somewhere logs in at the form of Django's admin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.barehost.django.plugins.module_utils import _program_superuser
from support.project import done

sys.path.append(str(Path(__file__).resolve().parents[3] / "matrix"))

import values

# A process of Django each.
SUPERUSERS = 12
LOGIN = """
import json, sys
import django
django.setup()
from django.contrib.admin.forms import AdminAuthenticationForm
found = []
for name, password in json.load(sys.stdin):
    form = AdminAuthenticationForm(data={"username": name, "password": password})
    found.append(form.is_valid())
json.dump(found, sys.stdout)
"""


def test_a_superuser_logs_in_with_each_password(migrated: Path) -> None:
    everything = "".join(values.SIGNS)
    fit = values.fit()
    chosen = [everything, f" {everything} ", "x", *values.long(), *fit[:: len(fit) // SUPERUSERS]]
    for number, password in enumerate(chosen):
        user = {"username": f"a{number}", "email": f"a{number}@example.org", "password": password, "fields": {}}
        done(migrated, _program_superuser, **user, renew_password=True)
    attempts = [(f"a{number}", password) for number, password in enumerate(chosen)]
    wrong = [(name, f"{password}.") for name, password in attempts]
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": str(migrated)}
    asked = subprocess.run(
        [sys.executable, "-c", LOGIN],
        input=json.dumps([*attempts, *wrong]),
        cwd=migrated,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    said = json.loads(asked.stdout)
    assert said == [True] * len(attempts) + [False] * len(wrong)
