"""Ending the connections of a session of requests, whenever that is."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter


def close_connections(session: requests.Session) -> None:
    """Close all idle connections, and have those in use closed as soon as they aren't any more.

    Closing the session would only forget them and leave the rest to finalizers. When a program
    ends, those run before the last requests are sent, and what these leave stays open.
    """
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
                for key in manager.pools.keys():  # noqa: SIM118  # it can't be iterated
                    pool = manager.pools.get(key)
                    if pool is not None:
                        pool.close()
    session.close()
