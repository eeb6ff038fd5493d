"""The web process of this release takes its time to start."""

import os
import time

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf.settings")

time.sleep(15)
application = get_wsgi_application()
