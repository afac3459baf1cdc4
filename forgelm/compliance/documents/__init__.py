"""The documents of a run, written from plain facts."""

from __future__ import annotations

from forgelm.compliance.documents._doc_export import (
    ComplianceExport,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
)
from forgelm.compliance.documents._doc_facts import RunFacts
from forgelm.compliance.documents._doc_provenance import source_digests

__all__ = [
    "ComplianceExport",
    "RunFacts",
    "export_compliance_documents",
    "export_data_governance",
    "export_model_documents",
    "source_digests",
]
