"""The web process."""

import os

import waitress
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf.production")
waitress.serve(get_wsgi_application(), host="0.0.0.0", port=5000)  # noqa: S104 - inside a container
