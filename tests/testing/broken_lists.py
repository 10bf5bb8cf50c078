"""Stores that break the rules for lists, each in one way."""

from __future__ import annotations

import time
from typing import Any

from acme_store import AcmeStore
from breaking import breaks
from msgspec.structs import replace

from pipeline_host.models import Page, Process, ProcessFilter, Timestamp
from pipeline_host.times import timestamp, to_ms
from pipeline_host.transitions import Mutation

EVERY = ProcessFilter(limit=1000)


class Rewrites(AcmeStore):
    """One that answers another question than it was asked."""

    def rewritten(self, query: ProcessFilter) -> dict[str, Any]:
        return {}

    def list(self, query: ProcessFilter) -> Page:
        return super().list(replace(query, **self.rewritten(query)))


@breaks("test_an_empty_store_lists_nothing", "test_beyond_the_end_is_nothing")
class ListsNobody(AcmeStore):
    """One that makes a process up rather than show an empty page."""

    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        nobody = Process(
            id="",
            type="",
            prompt_preview="",
            full_prompt="",
            status="queued",
            start_time=timestamp(0),
        )
        return page if page.processes else replace(page, processes=(nobody,))


@breaks("test_a_list_has_whole_processes_as_they_are_now", "test_processes_are_kept")
class ListsSummaries(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        short = [replace(process, full_prompt="", metadata=None) for process in page.processes]
        return replace(page, processes=tuple(short))


@breaks("test_order_is_by_start_then_by_creation", "test_it_does_what_the_model_does")
class SortsById(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        return replace(page, processes=tuple(sorted(page.processes, key=lambda p: p.id)))


@breaks("test_an_update_keeps_its_place")
class MovesWhatIsUpdated(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        after = super().update(process_id, mutate)
        with self._database.writing() as db:
            db.execute(
                "UPDATE process SET number = (SELECT max(number) + 1 FROM process) WHERE id = ?",
                (process_id,),
            )
        return after


@breaks(
    "test_by_workspace",
    "test_by_statuses",
    "test_by_type",
    "test_by_parent",
    "test_since_a_start_time_inclusive",
    "test_by_a_text_in_id_preview_or_prompt",
    "test_a_text_is_taken_as_it_is",
    "test_every_condition_must_hold",
    "test_cursors_lead_through_a_filtered_list",
    "test_total_counts_what_matches",
)
class ListsAll(Rewrites):
    def rewritten(self, query: ProcessFilter) -> dict[str, Any]:
        names = ("workspace", "statuses", "type", "since", "parent", "q")
        return dict.fromkeys(names)


@breaks("test_since_a_start_time_inclusive", "test_every_condition_must_hold")
class SinceIsExclusive(Rewrites):
    def rewritten(self, query: ProcessFilter) -> dict[str, Any]:
        since = query.since and timestamp(to_ms(query.since) + 1)
        return {"since": since}


@breaks("test_since_a_start_time_inclusive")
class SinceIsIgnored(Rewrites):
    def rewritten(self, query: ProcessFilter) -> dict[str, Any]:
        return {"since": query.since and Timestamp("0001-01-01T00:00:00.000Z")}


@breaks("test_a_text_is_found_in_any_case")
class FindsAsciiOnlyInAnyCase(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id FROM process WHERE json LIKE ?", (f"%{query.q or ''}%",)
            ).fetchall()
        found = {row[0] for row in rows}
        page = super().list(query)
        return replace(page, processes=tuple(p for p in page.processes if p.id in found))


@breaks("test_a_text_is_taken_as_it_is")
class TakesTextForAPattern(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        if query.q is None:
            return super().list(query)
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id FROM process WHERE text LIKE ?", (f"%{query.q}%",)
            ).fetchall()
        processes = tuple(self.get(row[0]) for row in rows)
        return Page(processes=processes, total=len(rows), limit=query.limit, offset=0)


@breaks("test_by_a_text_in_id_preview_or_prompt")
class FindsTextAnywhere(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(replace(query, q=None))
        found = tuple(p for p in page.processes if query.q is None or query.q in repr(p))
        return replace(page, processes=found)


@breaks("test_by_type", "test_by_workspace")
class FindsBeginnings(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(replace(query, type=None, workspace=None))
        found = tuple(
            p
            for p in page.processes
            if p.type.startswith(query.type or "")
            and (p.workspace_id or "").startswith(query.workspace or "")
        )
        return replace(page, processes=found)


@breaks("test_a_page_of_none_counts_what_matches")
class CountsNoneForAPageOfNone(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        return page if query.limit else replace(page, total=0)


@breaks("test_limit_and_offset_cut_a_page_of_all", "test_beyond_the_end_is_nothing")
class IgnoresTheOffset(Rewrites):
    def rewritten(self, query: ProcessFilter) -> dict[str, Any]:
        return {"offset": 0}


@breaks(
    "test_limit_and_offset_cut_a_page_of_all",
    "test_total_counts_what_matches",
    "test_the_total_is_the_same_on_each_page",
    "test_beyond_the_end_is_nothing",
)
class CountsThePage(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        return replace(page, total=len(page.processes))


@breaks("test_a_cursor_is_there_if_more_are", "test_an_empty_store_lists_nothing")
class AlwaysPromisesMore(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        last = page.processes[-1].start_time if page.processes else timestamp(0)
        return replace(page, next_cursor=page.next_cursor or f"{last}.999")


@breaks(
    "test_a_cursor_is_there_if_more_are",
    "test_cursors_lead_through_the_whole_list",
    "test_cursors_lead_through_a_filtered_list",
)
class NeverPromisesMore(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        return replace(super().list(query), next_cursor=None)


@breaks(
    "test_a_cursor_holds_its_place_while_others_come",
    "test_a_cursor_holds_its_place_while_others_go",
    "test_a_cursor_that_no_page_gave_is_refused",
)
class CursorsAreOffsets(AcmeStore):
    def list(self, query: ProcessFilter) -> Page:
        cursor = query.cursor or ""
        offset = int(cursor) if cursor.isascii() and cursor.isdigit() else query.offset
        page = super().list(replace(query, offset=offset, cursor=None))
        if page.next_cursor is None:
            return page
        return replace(page, next_cursor=str(offset + len(page.processes)))


@breaks("test_cursors_lead_through_the_whole_list")
class CursorsForgetTheirRow(AcmeStore):
    """One whose cursor is a start time alone, so that ties are left out."""

    def list(self, query: ProcessFilter) -> Page:
        page = super().list(query)
        if page.next_cursor is None:
            return page
        number = 0 if query.order == "desc" else 10**9
        return replace(page, next_cursor=f"{page.processes[-1].start_time}.{number}")


@breaks("test_a_process_that_moves_is_counted_where_it_is", "test_by_workspace")
class KeepsOneWorkspace(AcmeStore):
    def __init__(self, path: Any) -> None:
        super().__init__(path)
        with self._database.writing() as db:
            db.execute(
                "CREATE TRIGGER IF NOT EXISTS one AFTER INSERT ON process"
                " BEGIN UPDATE process SET workspace = 'w1' WHERE number = new.number; END"
            )
            db.execute(
                "CREATE TRIGGER IF NOT EXISTS still AFTER UPDATE OF json ON process"
                " BEGIN UPDATE process SET workspace = 'w1' WHERE number = new.number; END"
            )
        time.sleep(0)
