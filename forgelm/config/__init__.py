"""The configuration of a run: its schema, its file and its field tree."""

from forgelm.config._data import AuthConfig, DataConfig, DataGovernanceConfig, SyntheticConfig
from forgelm.config._evaluation import (
    BenchmarkConfig,
    EvaluationConfig,
    JudgeConfig,
    SafetyConfig,
)
from forgelm.config._governance import (
    ComplianceMetadataConfig,
    MergeConfig,
    MonitoringConfig,
    RetentionConfig,
    RiskAssessmentConfig,
    WebhookConfig,
)
from forgelm.config._load import load_config, parse_config
from forgelm.config._model import (
    DistributedConfig,
    LoraConfigModel,
    ModelConfig,
    MoeConfig,
    MultimodalConfig,
)
from forgelm.config._root import ForgeConfig, PipelineConfig, PipelineStage, describe_config
from forgelm.config._schema import ConfigField
from forgelm.config._training import TrainingConfig
from forgelm.errors import ConfigError

__all__ = [
    "AuthConfig",
    "BenchmarkConfig",
    "ComplianceMetadataConfig",
    "ConfigError",
    "ConfigField",
    "DataConfig",
    "DataGovernanceConfig",
    "DistributedConfig",
    "EvaluationConfig",
    "ForgeConfig",
    "JudgeConfig",
    "LoraConfigModel",
    "MergeConfig",
    "ModelConfig",
    "MoeConfig",
    "MonitoringConfig",
    "MultimodalConfig",
    "PipelineConfig",
    "PipelineStage",
    "RetentionConfig",
    "RiskAssessmentConfig",
    "SafetyConfig",
    "SyntheticConfig",
    "TrainingConfig",
    "WebhookConfig",
    "describe_config",
    "load_config",
    "parse_config",
]
