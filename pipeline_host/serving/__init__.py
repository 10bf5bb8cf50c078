"""The parts of the gunicorn worker: connections, request bodies, the handler of requests."""
