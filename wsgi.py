"""The web process: ``gunicorn wsgi:app``, and what ``flask --app wsgi`` runs its commands in."""

import sys

from config import Config, ConfigError
from shopify_app.app import create_app

try:
    app = create_app(Config.from_env())
except ConfigError as error:
    sys.exit(f"storelens: {error}")
