#!/usr/bin/env python3
"""Django's manage.py, with Django from APPS_DEPS and the database that `run` was given."""

import os
import pathlib
import sys

sys.path[:0] = [
    os.environ["APPS_DEPS"],
    str(pathlib.Path(__file__).parents[1]),
    str(pathlib.Path(__file__).parents[3] / "clients/python"),
]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
