"""Every name of ministack that the engine relies on beyond its command line.

Moving to another version: change ``VERSION`` and the requirement, run the engine's
tests, and read the functions below in the new source (docs/engine.md says what to
look for).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from cityverse.errors import EngineError

VERSION = "1.5.33"

NAMES: Mapping[str, tuple[str, ...]] = {
    "ministack.app": (
        "AUTH",
        "_MAIN_LOOP",
        "_build_persistence_save_dict",
        "_get_module",
        "_ready_scripts_state",
        "_state_map",
        "app",
    ),
    "ministack.core.iam_evaluator": ("_is_root_key",),
    "ministack.core.persistence": (
        "STATE_DIR",
        "_json_default",
        "_json_object_hook",
        "load_state",
        "save_all",
        "_state_format_version",
    ),
    "ministack.core.responses": ("error_response_json", "get_account_id", "get_region"),
    "ministack.services.dynamodb": (
        "_INDEX_MEMBERS",
        "_TXN_TOKEN_TTL",
        "_contributor_insights",
        "_get_attr_type",
        "_index_key_schemas",
        "_index_members",
        "_index_order_keys",
        "_index_order_value",
        "_index_partition",
        "_key_condition_clauses",
        "_kinesis_destinations",
        "_lock",
        "_normalize_table_name",
        "_paginate_evaluated_items",
        "_pitr_settings",
        "_query",
        "_remove_item",
        "_resolve_index_keys",
        "_resource_policies",
        "_set_item",
        "_sort_key_value",
        "_tables",
        "_tags",
        "_tokenize",
        "_ttl_settings",
        "_txn_idempotency",
        "_txn_token_store",
        "_update_counts",
        "handle_request",
    ),
    "ministack.services.s3": (
        "DATA_DIR",
        "_atomic_write",
        "_error",
        "_key_history_meta",
        "_load_persisted_data",
        "_object_disk_path",
        "_object_meta_from_record",
        "_object_versions",
        "_other_key_disk_path",
        "_persist_object",
        "_remove_key_files",
        "_version_file_exists",
        "get_state",
        "handle_request",
        "load_persisted_state",
        "logger",
    ),
}


def verify() -> None:
    """Raise EngineError unless the pinned ministack is installed and has every name.

    Imports ministack, so the environment it reads must be set before.
    """
    try:
        installed = version("ministack")
    except PackageNotFoundError as error:
        raise EngineError(f"ministack {VERSION} is not installed") from error
    if installed != VERSION:
        raise EngineError(f"the engine needs ministack {VERSION}, installed is {installed}")
    missing = [
        f"{module}.{name}"
        for module, names in NAMES.items()
        for name in names
        if not hasattr(import_module(module), name)
    ]
    if missing:
        raise EngineError(f"ministack {installed} lacks {', '.join(missing)}")
