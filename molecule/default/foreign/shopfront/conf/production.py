"""Settings of a project with names of its own."""

import os
from urllib.parse import unquote, urlsplit

import pymysql

# Django asks for the version of the other driver.
pymysql.version_info = (2, 2, 7, "final", 0)
pymysql.install_as_MySQLdb()

database = urlsplit(os.environ["SHOP_DB"])

SECRET_KEY = os.environ["SHOP_SIGNING_KEY"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "conf.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/assets/"
STATIC_ROOT = "/srv/collected"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": database.hostname,
        "PORT": database.port,
        "NAME": unquote(database.path.lstrip("/")),
        "USER": unquote(database.username or ""),
        "PASSWORD": unquote(database.password or ""),
    },
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["SHOP_CACHE"]}}
