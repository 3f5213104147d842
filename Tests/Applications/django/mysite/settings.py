"""The settings of the application under test. What docs/applications.md shows stands at the end."""

import os

SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "accounts",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
            ]
        },
    }
]
ROOT_URLCONF = "mysite.urls"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("APPS_DATABASE", "db.sqlite3")}}
AUTH_USER_MODEL = "accounts.Person"

# mysite/settings.py
INSTALLED_APPS += ["outbox_client.django"]
DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 5}

if os.environ.get("APPS_MODE") == "deferred":
    DATABASES["default"]["OPTIONS"] = {}
if "APPS_MIGRATIONS" in os.environ:
    MIGRATION_MODULES = dict.fromkeys(["outbox", "accounts", "auth", "admin", "contenttypes", "sessions"])
if "APPS_SECOND" in os.environ:
    # Two databases: the application's, and one with the outbox.
    DATABASES["mails"] = {**DATABASES["default"], "NAME": os.environ["APPS_SECOND"]}
    DATABASE_ROUTERS = ["mysite.routers.Mails"]
