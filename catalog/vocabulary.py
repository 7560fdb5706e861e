"""The closed lists of redcliff's language: what a contract may say, each word once."""

from __future__ import annotations

from enum import StrEnum


class Theme(StrEnum):
    """What a dataset is about; the five libraries and what stands beside them."""

    POPULATION = "population"  # 人口
    LEGAL_ENTITY = "legal_entity"  # 法人
    LICENCE = "licence"  # 证照
    CREDIT = "credit"  # 信用
    GEOGRAPHY = "geography"  # 地理信息
    BENEFIT = "benefit"  # 惠民补贴
    ENVIRONMENT = "environment"  # 生态环境
    REFERENCE = "reference"  # 代码表


class Layer(StrEnum):
    """Where a table lies in the lake (原始层、治理层、专题库)."""

    RAW = "raw"
    CURATED = "curated"
    THEMATIC = "thematic"


class Kind(StrEnum):
    """What `redcliff.layer` says of a contract: delivered by a department, or made by a model."""

    SOURCE = "source"
    THEMATIC = "thematic"


class Mode(StrEnum):
    """What a delivery means (SEMANTICS: the whole truth, changes, or additions)."""

    SNAPSHOT = "snapshot"
    CHANGES = "changes"
    APPEND = "append"


class Format(StrEnum):
    """How the delivered files are written; each may come inside a zip archive."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON_LINES = "jsonl"
    GEOJSON = "geojson"


class Gate(StrEnum):
    """What happens to a row, or to those who read the dataset, when a rule is broken."""

    WARN = "warn"
    QUARANTINE = "quarantine"
    BLOCK = "block"


class Consumer(StrEnum):
    """Who a blocking rule stops."""

    LOAD = "load"
    SHARE = "share"
    FEED = "feed"
    OPEN = "open"
    REPORT = "report"


class Drift(StrEnum):
    """What to do about a column or value the contract does not expect."""

    REFUSE = "refuse"
    QUARANTINE = "quarantine"
    ACCEPT = "accept"


class SharingLevel(StrEnum):
    """共享类型: between departments."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    UNSHARED = "unshared"


class OpenLevel(StrEnum):
    """开放属性: to the public."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    CLOSED = "closed"


class Sensitivity(StrEnum):
    """数据分级, from public (L1) to identifying (L4)."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"


class MaskKind(StrEnum):
    """脱敏: how a value is shown to those who may not see it whole."""

    PARTIAL = "partial"
    HASH = "hash"
    DROP = "drop"
    GENERALIZE = "generalize"
    PSEUDONYM = "pseudonym"


class SemanticType(StrEnum):
    """Types a city knows beyond SQL's: each has a standard form, a check and a validity."""

    CITIZEN_ID = "citizen_id"  # 公民身份号码, GB 11643
    USCC = "uscc"  # 统一社会信用代码, GB 32100


class Derivation(StrEnum):
    """How a column that nobody delivers follows from one that is delivered."""

    DELIVERED = "delivered"  # the text as delivered, trimmed
    PERMANENT = "permanent"  # whether a date stands for 长期


class DateForm(StrEnum):
    """How a department writes a date; a column may name several."""

    COMPACT = "yyyyMMdd"
    ISO = "yyyy-MM-dd"
    SLASHED = "yyyy/M/d"
    DOTTED = "yyyy.M.d"
    CHINESE = "yyyy年M月d日"


class Unit(StrEnum):
    """The unit in which an amount of money is delivered; tables hold yuan."""

    YUAN = "yuan"
    TEN_THOUSAND_YUAN = "ten_thousand_yuan"
