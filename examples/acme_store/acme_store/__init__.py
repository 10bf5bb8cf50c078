"""A store for pipeline_host that keeps everything in one SQLite file."""

from acme_store.store import AcmeStore

__all__ = ["AcmeStore"]
