"""The project's settings: as few as a case can do with, and the case's own."""

import json
import os
from pathlib import Path
from typing import Any

from django_site.databases import database_from_url, use_drivers
from tests.fidelity.case import load, load_module

_name = os.environ["FIDELITY_CASE"]
_case, _module = load(_name), load_module(_name)
FOLDER = Path(os.environ["FIDELITY_FOLDER"])
STATE_DIR = Path(os.environ["WORKERD_STATE_DIR"])
STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = "the tests' key"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.fidelity.site.web"
WSGI_APPLICATION = "tests.fidelity.site.web.wsgi"
ASGI_APPLICATION = "tests.fidelity.site.web.asgi"
INSTALLED_APPS = ["workerd", "django.contrib.contenttypes", "django.contrib.auth", *_case.apps, "tests.fidelity.site"]
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
SILENCED_SYSTEM_CHECKS = ["workerd.W003"]  # the tests' folders are temporary, and a child does not run the checks
STATIC_URL = "static/"

use_drivers([os.environ["DATABASE_URL"]])
DATABASES = {"default": database_from_url(os.environ["DATABASE_URL"], FOLDER)}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}

WORKERD: dict[str, Any] = {
    "NAME": os.environ["WORKERD_NAME"],
    "STATE_DIR": STATE_DIR,
    "COMMANDS": [_case.command.split()[0]],
    **json.loads(os.environ.get("WORKERD_SETTINGS") or "{}"),
}

globals().update(getattr(_module, "settings", dict)())
