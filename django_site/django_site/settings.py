"""The demo project, which the tests run too. It is not for production: its key is public.

The environment chooses: DATABASE_URL, SECOND_DATABASE_URL (adds the alias ``second``), WORKERD_NAME, WORKERD_STATE_DIR,
and WORKERD_SETTINGS, a JSON object laid over ``WORKERD``.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .databases import database_from_url, use_drivers

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(os.environ.get("WORKERD_STATE_DIR") or BASE_DIR / ".state").absolute()
STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = "the demo's key is public: use it nowhere else"
DEBUG = False  # with DEBUG, Django keeps every query in memory, and a job runs for weeks
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "django_site.urls"
WSGI_APPLICATION = "django_site.wsgi.application"

INSTALLED_APPS = [
    "workerd",
    "shop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

_urls = {"default": os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str(STATE_DIR / 'shop.sqlite3'))}"}
if _second := os.environ.get("SECOND_DATABASE_URL"):
    _urls["second"] = _second
use_drivers(_urls.values())
DATABASES = {alias: database_from_url(url, BASE_DIR) for alias, url in _urls.items()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

WORKERD: dict[str, Any] = {
    "NAME": os.environ.get("WORKERD_NAME") or "shop",
    "STATE_DIR": STATE_DIR,
    "COMMANDS": ["runserver", "expire_carts"],
    "TARGETS": ["shop.stocktaking.*"],
    "DEFINITIONS": [BASE_DIR / "jobs.toml"],
    **json.loads(os.environ.get("WORKERD_SETTINGS") or "{}"),
}
