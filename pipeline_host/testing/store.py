"""The rules of a store, as tests that every store is held to."""

from __future__ import annotations

from pipeline_host.testing.store_changes import ChangeContentContract, ChangeOrderContract
from pipeline_host.testing.store_durable import DurableContract
from pipeline_host.testing.store_lead import LeadContract
from pipeline_host.testing.store_leases import LeaseContract
from pipeline_host.testing.store_lists import FilterContract, OrderContract, PageContract
from pipeline_host.testing.store_live import EmitContract, LiveChangeContract, LiveOutputContract
from pipeline_host.testing.store_model import ModelContract
from pipeline_host.testing.store_output import AppendContract, OffsetContract
from pipeline_host.testing.store_reading import (
    ForgottenOutputContract,
    ReadContract,
    SealContract,
)
from pipeline_host.testing.store_remove import PruneContract, RemoveContract
from pipeline_host.testing.store_shared import DoorbellContract, SharedContract
from pipeline_host.testing.store_state import AddContract, UpdateContract
from pipeline_host.testing.store_stats import StatsContract, WorkspaceContract


class ProcessStoreContract(
    AddContract,
    UpdateContract,
    RemoveContract,
    PruneContract,
    StatsContract,
    WorkspaceContract,
    OrderContract,
    FilterContract,
    PageContract,
    ChangeContentContract,
    ChangeOrderContract,
    AppendContract,
    OffsetContract,
    ReadContract,
    SealContract,
    ForgottenOutputContract,
    LiveChangeContract,
    LiveOutputContract,
    EmitContract,
    LeaseContract,
    ModelContract,
    DurableContract,
    SharedContract,
    DoorbellContract,
    LeadContract,
):
    """What :class:`~pipeline_host.store.ProcessStore` promises, as a pytest class to inherit from::

        class TestMyStore(ProcessStoreContract):
            shared = True

            def open_store(self, folder):
                return MyStore(folder / "data")

    ``open_store`` opens the store on the data of a folder; ``durable``, ``shared``, ``leads`` and
    ``patience`` say what the store can do (see
    :class:`~pipeline_host.testing.store_base.StoreContractBase`).
    """
