"""The application for any WSGI server: ``gunicorn pipeline_host.wsgi:app``."""

from __future__ import annotations

import atexit

from pipeline_host.app import create_app
from pipeline_host.config import load_settings

app = create_app(load_settings())
atexit.register(app.close)
