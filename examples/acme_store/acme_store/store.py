"""AcmeStore: the rules of a store, on SQLite."""

from __future__ import annotations

import builtins
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from acme_store import listing
from acme_store.database import Database
from pipeline_host.errors import Conflict, NotFound, TerminalState
from pipeline_host.models import (
    STATUSES,
    TERMINAL,
    Added,
    Change,
    ChangeBatch,
    ChangeKind,
    Chunk,
    Lease,
    OutputBatch,
    Page,
    Process,
    ProcessFilter,
    Removed,
    Stats,
    Status,
    Workspace,
    WorkspaceCount,
)
from pipeline_host.output import place
from pipeline_host.store import CHANGE_LIMIT, READ_LIMIT, ProcessStore
from pipeline_host.times import now_ms, timestamp
from pipeline_host.transitions import Mutation, created, fingerprint, same

encode = msgspec.json.encode


class AcmeLead:
    """The lead of a name among the readers of this process, which has the data to itself.

    Args:
        led: all leads by name; it is the lead while it is there.
    """

    def __init__(self, led: dict[str, AcmeLead], name: str) -> None:
        self._led = led
        self._name = name
        led.setdefault(name, self)

    @property
    def held(self) -> bool:
        return self._led.get(self._name) is self

    def release(self) -> None:
        if self.held:
            del self._led[self._name]


class AcmeStore(ProcessStore):
    """Processes in one SQLite file, for one server process.

    What was acknowledged survives a crash of the program and of the machine: the file is in WAL
    mode and is synced with each change.

    Args:
        path: the database file; made where there is none.
        changes_kept: how many of the newest changes are remembered.
    """

    def __init__(self, path: Path, changes_kept: int = 10_000) -> None:
        self._database = Database(path)
        self._changes_kept = max(changes_kept, 1)
        self._led: dict[str, AcmeLead] = {}
        with self._database.writing() as db:
            row = db.execute("SELECT epoch FROM data").fetchone()
            if row is None:
                row = (secrets.token_hex(8),)
                db.execute("INSERT INTO data VALUES (?)", row)
        self._epoch: str = row[0]

    @property
    def epoch(self) -> str:
        return self._epoch

    def add(self, process: Process) -> Added:
        mark = fingerprint(process)
        with self._database.writing() as db:
            known = db.execute(
                "SELECT fingerprint, json FROM process WHERE id = ?", (process.id,)
            ).fetchone()
            if known is None:
                process = created(process)
                columns = {"id": process.id, "fingerprint": mark, **_columns(process)}
                db.execute(
                    f"INSERT INTO process ({', '.join(columns)})"
                    f" VALUES ({', '.join('?' * len(columns))})",
                    tuple(columns.values()),
                )
                self._log(db, "process-added", process=process.summary())
                return Added(process=process, created=True)
        if known[0] != mark:
            raise Conflict(f"id: {process.id!r} was created before, with something else")
        return Added(process=_process(known[1]), created=False)

    def get(self, process_id: str) -> Process:
        with self._database.reading() as db:
            return _find(db, process_id)[1]

    def list(self, query: ProcessFilter) -> Page:
        where, values = listing.conditions(query)
        beyond, place_values = listing.beyond(query)
        direction = "ASC" if query.order == "asc" else "DESC"
        with self._database.reading() as db:
            (total,) = db.execute(f"SELECT count(*) FROM process WHERE {where}", values).fetchone()
            rows = db.execute(
                f"SELECT start_time, number, json FROM process WHERE {where} AND {beyond}"
                f" ORDER BY start_time {direction}, number {direction} LIMIT ? OFFSET ?",
                [*values, *place_values, query.limit + 1, query.offset],
            ).fetchall()
        more, rows = len(rows) > query.limit, rows[: query.limit]
        return Page(
            processes=tuple(_process(json) for _, _, json in rows),
            total=total,
            limit=query.limit,
            offset=query.offset,
            next_cursor=listing.cursor(*rows[-1][:2]) if more and rows else None,
        )

    def update(self, process_id: str, mutate: Mutation) -> Process:
        with self._database.writing() as db:
            number, before = _find(db, process_id)
            after = mutate(before)
            if not same(before, after):
                columns = _columns(after)
                assignments = ", ".join(f"{name} = ?" for name in columns)
                db.execute(
                    f"UPDATE process SET {assignments} WHERE number = ?",
                    (*columns.values(), number),
                )
                self._log(db, "process-updated", process=after.summary())
        return after

    def remove(self, process_id: str) -> Process:
        with self._database.writing() as db:
            number, process = _find(db, process_id)
            db.execute("DELETE FROM process WHERE number = ?", (number,))
            self._log(db, "process-removed", removed=(_removed(process),))
        return process

    def clear(self, statuses: Sequence[Status], workspace: str | None = None) -> builtins.list[str]:
        where, values = listing.conditions(
            ProcessFilter(statuses=tuple(statuses), workspace=workspace)
        )
        return self._clear(where, values)

    def prune(
        self, *, max_age: timedelta | None = None, max_count: int | None = None
    ) -> builtins.list[str]:
        terms, values = builtins.list[str](), builtins.list[listing.Value]()
        if max_age is not None:
            terms.append("end_time < ?")
            values.append(timestamp(now_ms() - max_age // timedelta(milliseconds=1)))
        if max_count is not None:
            newest = "SELECT number FROM process ORDER BY start_time DESC, number DESC LIMIT ?"
            terms.append(f"number NOT IN ({newest})")
            values.append(max_count)
        ended = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
        return self._clear(f"status IN ({ended}) AND ({' OR '.join(terms) or '0'})", values)

    def stats(self) -> Stats:
        with self._database.reading() as db:
            by_status = dict(db.execute("SELECT status, sum(count) FROM tally GROUP BY status"))
            by_workspace = db.execute(
                "SELECT t.workspace, ifnull(w.name, t.workspace), sum(count) AS total"
                " FROM tally t LEFT JOIN workspace w ON w.id = t.workspace"
                " WHERE t.workspace != '' GROUP BY t.workspace HAVING total > 0"
            ).fetchall()
        return Stats(
            total_processes=sum(by_status.values()),
            by_status={status: by_status.get(status, 0) for status in STATUSES},
            by_workspace=tuple(
                WorkspaceCount(workspace_id=workspace_id, name=name, count=count)
                for workspace_id, name, count in by_workspace
            ),
        )

    def register_workspace(self, workspace: Workspace) -> Workspace:
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO workspace (id, name, json) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, json = excluded.json",
                (workspace.id, workspace.name, encode(workspace)),
            )
            self._log(db, "workspace-registered", workspace=workspace)
        return workspace

    def workspaces(self) -> builtins.list[Workspace]:
        with self._database.reading() as db:
            rows = db.execute("SELECT json FROM workspace ORDER BY number").fetchall()
        return [msgspec.json.decode(json, type=Workspace) for (json,) in rows]

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        with self._database.reading() as db:
            oldest, newest = db.execute(
                "SELECT ifnull(min(seq), 1), ifnull(max(seq), 0) FROM change"
            ).fetchone()
            rows = db.execute(
                "SELECT json, seq FROM change WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        if not oldest - 1 <= after <= newest:
            return ChangeBatch(changes=(), last=newest, resync=True)
        changes = tuple(
            msgspec.structs.replace(msgspec.json.decode(json, type=Change), seq=seq)
            for json, seq in rows
        )
        return ChangeBatch(changes=changes, last=newest)

    def leases(self) -> dict[str, Lease]:
        with self._database.reading() as db:
            rows = db.execute("SELECT id, lease FROM process WHERE lease IS NOT NULL").fetchall()
        return {process_id: msgspec.json.decode(json, type=Lease) for process_id, json in rows}

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        with self._database.writing() as db:
            number, process = _find(db, process_id)
            length = _length(db, number)
            placed = place(chunks, offset, length, lambda after, _: _stored(db, number, after))
            if placed and process.terminal:
                raise TerminalState(process.status)
            db.executemany(
                "INSERT INTO chunk VALUES (?, ?, ?, ?)",
                [(number, chunk.offset, chunk.end, encode(chunk)) for chunk in placed],
            )
        return placed[-1].end if placed else length

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        chunks, size = builtins.list[Chunk](), 0
        with self._database.reading() as db:
            number, process = _find(db, process_id)
            length = _length(db, number)
            if after < length:
                for chunk in _stored(db, number, after):
                    size += chunk.length
                    if chunks and size > limit:
                        break
                    chunks.append(chunk)
        return OutputBatch(
            chunks=tuple(chunks),
            start=0,
            end=length,
            sealed=process.terminal,
            incarnation=number,
        )

    def lead(self, name: str) -> AcmeLead | None:
        lead = AcmeLead(self._led, name)
        return lead if lead.held else None

    def load_cursor(self, name: str) -> int | None:
        with self._database.reading() as db:
            row = db.execute("SELECT seq FROM cursor WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def save_cursor(self, name: str, seq: int) -> None:
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
                (name, seq),
            )

    def close(self) -> None:
        self._led.clear()
        self._database.close()

    def _clear(self, where: str, values: builtins.list[listing.Value]) -> builtins.list[str]:
        with self._database.writing() as db:
            rows = db.execute(f"SELECT number, json FROM process WHERE {where}", values).fetchall()
            removed = tuple(_removed(_process(json)) for _, json in rows)
            if removed:
                db.executemany("DELETE FROM process WHERE number = ?", [row[:1] for row in rows])
                self._log(db, "processes-cleared", removed=removed)
        return [process.id for process in removed]

    def _log(self, db: sqlite3.Connection, kind: ChangeKind, **told: Any) -> None:
        """Number a change, in the transaction that makes it, and forget one that is too old."""
        change = Change(seq=0, kind=kind, timestamp=now_ms(), **told)
        seq = db.execute("INSERT INTO change (json) VALUES (?)", (encode(change),)).lastrowid or 0
        db.execute("DELETE FROM change WHERE seq <= ?", (seq - self._changes_kept,))


def _find(db: sqlite3.Connection, process_id: str) -> tuple[int, Process]:
    row = db.execute("SELECT number, json FROM process WHERE id = ?", (process_id,)).fetchone()
    if row is None:
        raise NotFound
    return row[0], _process(row[1])


def _stored(db: sqlite3.Connection, number: int, after: int) -> Iterator[Chunk]:
    """The chunks of a process's output that end behind the byte ``after``, in order."""
    rows = db.execute(
        "SELECT json FROM chunk WHERE process = ? AND start >= ("
        " SELECT max(start) FROM chunk WHERE process = ? AND start <= max(?, 0)"
        ") ORDER BY start",
        (number, number, after),
    )
    for (json,) in rows:
        yield msgspec.json.decode(json, type=Chunk)


def _length(db: sqlite3.Connection, number: int) -> int:
    """The length of a process's output, which is where its last chunk ends."""
    row = db.execute(
        "SELECT end FROM chunk WHERE process = ? ORDER BY start DESC LIMIT 1", (number,)
    ).fetchone()
    return 0 if row is None else row[0]


def _process(json: bytes) -> Process:
    return msgspec.json.decode(json, type=Process)


def _removed(process: Process) -> Removed:
    return Removed(id=process.id, status=process.status, workspace_id=process.workspace_id)


def _columns(process: Process) -> dict[str, str | bytes | None]:
    """What a row holds of a process: all of it, and beside it what is searched and sorted by."""
    leased = process.lease is not None and not process.terminal
    searched = (process.id, process.prompt_preview, process.full_prompt)
    return {
        "status": process.status,
        "type": process.type,
        "workspace": process.workspace_id,
        "parent": process.parent_process_id,
        "start_time": process.start_time,
        "end_time": process.end_time,
        "text": "\0".join(searched).casefold(),
        "json": encode(process),
        "lease": encode(process.lease) if leased else None,
    }
