"""pipeline_host under plain gunicorn, instead of ``pipeline-host serve``:

    gunicorn -c examples/gunicorn.conf.py 'pipeline_host.wsgi:app'

The settings are those of ``serve``, from the environment (``PIPELINE_HOST_PORT``, …) and the
settings file; gunicorn's own are here.
"""

import math
import sys

from pipeline_host.config import load_settings
from pipeline_host.errors import StartupError
from pipeline_host.serving.listener import check_host

# Loopback only: this server doesn't ask who its clients are. The worker refuses to serve on
# anything else, so a server for other machines needs a reverse proxy that asks; it may bind to a
# UNIX socket for that.
try:
    settings = load_settings()
    check_host(settings.host)
except StartupError as error:
    sys.exit(f"Error: {error}")

host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = f"{host}:{settings.port}"

# Set it with PIPELINE_HOST_WORKERS rather than -w: the application has to know whether its store
# is shared.
workers = settings.workers

# Needed: streams end at once when the server does, bodies arrive live, stalled requests end.
worker_class = "pipeline_host.worker.Worker"

# One stream is one connection; gunicorn's usual 1000 would be used up by as many viewers.
worker_connections = 10_000

keepalive = math.ceil(settings.keepalive)

# How long requests under way may take to end; it includes the half second that a worker keeps for
# itself.
graceful_timeout = math.ceil(settings.graceful_timeout + 0.5)

# Each worker has to load the application by itself, after gevent has patched it.
preload_app = False

# By default all of a user's servers share one control socket, and take it from each other.
control_socket_disable = True

accesslog = "-" if settings.access_log else None
loglevel = "info"
