"""The product's index mapping: the seed's in full, as it is sent to Elasticsearch.

Beyond the seed: `message.log` (the seed's log_analyzer), `metadata` strings as keyword without date detection (by
default Elasticsearch cuts them at 256 characters and guesses dates), no guessing of fields outside `metadata` and
`parsed_fields`, `overflow` for what does not fit there, and `latency_ms`, from the event's date to created_at, since
no aggregation can subtract without scripts.
"""

from __future__ import annotations

from typing import Any, Final

_KEYWORD: Final = {"type": "keyword"}
_TEXT: Final = {"type": "text", "analyzer": "standard"}

PRODUCT_MAPPING: Final[dict[str, Any]] = {
    "settings": {
        "index": {"query": {"default_field": ["message"]}},
        "analysis": {
            "analyzer": {
                "log_analyzer": {
                    "type": "custom",
                    "tokenizer": "standard",
                    "filter": ["lowercase", "stop", "snowball"],
                }
            }
        },
    },
    "mappings": {
        "dynamic": "false",
        "date_detection": False,
        "dynamic_templates": [
            {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8191}}},
            {"doubles": {"match_mapping_type": "double", "mapping": {"type": "double"}}},
        ],
        "properties": {
            "log_id": _KEYWORD,
            "source_id": _KEYWORD,
            "timestamp": {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
            "level": _KEYWORD,
            "message": {
                **_TEXT,
                "fields": {
                    "keyword": {"type": "keyword", "ignore_above": 256},
                    "log": {"type": "text", "analyzer": "log_analyzer"},
                },
            },
            "raw_log": _TEXT,
            "category": _KEYWORD,
            "tags": _KEYWORD,
            "metadata": {"type": "object", "dynamic": "true"},
            # As deep as JSON may be for Elasticsearch; longer texts than in metadata would not fit beside a long name.
            "overflow": {"type": "flattened", "ignore_above": 8191, "depth_limit": 1000},
            "parsed_fields": {
                "type": "object",
                "dynamic": "true",
                "properties": {
                    "host": _KEYWORD,
                    "service": _KEYWORD,
                    "thread": _KEYWORD,
                    "class": _KEYWORD,
                    "method": _KEYWORD,
                    "line_number": {"type": "integer"},
                    "stack_trace": {"type": "text"},
                },
            },
            "geo_location": {"type": "geo_point"},
            "size_bytes": {"type": "integer"},
            "latency_ms": {"type": "long"},
            "processing_status": _KEYWORD,
            "created_at": {"type": "date"},
        },
    },
}
