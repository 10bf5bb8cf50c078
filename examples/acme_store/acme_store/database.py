"""The SQLite file: its tables, its transactions, and its errors in pipeline_host's words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline_host.errors import StorageFull, StoreCorrupt, StoreUnavailable

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data (epoch TEXT NOT NULL);

-- number: in the order of creation, and never used twice, so it is the incarnation, too.
CREATE TABLE IF NOT EXISTS process (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    type TEXT NOT NULL,
    workspace TEXT,
    parent TEXT,
    start_time TEXT NOT NULL,
    end_time TEXT,
    text TEXT NOT NULL,
    json BLOB NOT NULL,
    lease BLOB  -- only while the process hasn't ended
);
CREATE INDEX IF NOT EXISTS process_by_start ON process (start_time, number);
CREATE INDEX IF NOT EXISTS process_by_status ON process (status, start_time, number);
CREATE INDEX IF NOT EXISTS process_by_workspace ON process (workspace, start_time, number);
CREATE INDEX IF NOT EXISTS process_by_parent ON process (parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS process_by_lease ON process (number) WHERE lease IS NOT NULL;

CREATE TABLE IF NOT EXISTS chunk (
    process INTEGER NOT NULL REFERENCES process (number) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (process, start)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workspace (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    json BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    json BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);

-- How many processes there are, kept by triggers, so that counting needs no walk over them.
CREATE TABLE IF NOT EXISTS tally (
    status TEXT NOT NULL,
    workspace TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (status, workspace)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS tally_insert AFTER INSERT ON process BEGIN
    INSERT INTO tally VALUES (new.status, ifnull(new.workspace, ''), 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER IF NOT EXISTS tally_delete AFTER DELETE ON process BEGIN
    UPDATE tally SET count = count - 1
    WHERE status = old.status AND workspace = ifnull(old.workspace, '');
END;
CREATE TRIGGER IF NOT EXISTS tally_update AFTER UPDATE OF status, workspace ON process BEGIN
    UPDATE tally SET count = count - 1
    WHERE status = old.status AND workspace = ifnull(old.workspace, '');
    INSERT INTO tally VALUES (new.status, ifnull(new.workspace, ''), 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
"""
BUSY_TIMEOUT: Final = 2.0
"""How long a write waits for another program that has the file open, in seconds."""


class Database:
    """One connection, used by one thread at a time.

    Under gevent the whole worker waits while SQLite works, as sqlite3 knows nothing of greenlets:
    some milliseconds for a write that is synced.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            with _translated(path):
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        except BaseException:
            self._connection.close()
            raise
        self._path = path

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A moment of the data: what is read in one such block belongs together."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A change of the data: all of it is kept when the block ends, none when it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self._path):
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StorageFull(f"The disk that holds {path} is full") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreCorrupt(f"{path} is damaged: {error}") from error
        raise StoreUnavailable(f"{path} can't be used now: {error}") from error
