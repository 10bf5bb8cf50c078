"""pipeline_host: the one small server that agents, reviews and pipelines report to."""

from pipeline_host._version import __version__

__all__ = ["__version__"]
