"""Data: from files and Hub names, in any of the usual shapes, to token ids and labels."""

from forgelm.data._formats import DataFormat, detect_format
from forgelm.data._hub import hub_offline, hub_session, hub_token, is_hub_name
from forgelm.data._judged import one_sided
from forgelm.data._load import check_source
from forgelm.data._mix import hold_out_count
from forgelm.data._normalise import clean_text
from forgelm.data._prepare import prepare_dataset, prepare_splits
from forgelm.data._recipes import ROW_COLUMN
from forgelm.data._sample import SourceSample, sample_sources
from forgelm.data._summary import DataSummary, PreparedData, SourceSummary

__all__ = [
    "ROW_COLUMN",
    "DataFormat",
    "DataSummary",
    "PreparedData",
    "SourceSample",
    "SourceSummary",
    "check_source",
    "clean_text",
    "detect_format",
    "hold_out_count",
    "hub_offline",
    "hub_session",
    "hub_token",
    "is_hub_name",
    "one_sided",
    "prepare_dataset",
    "prepare_splits",
    "sample_sources",
]
