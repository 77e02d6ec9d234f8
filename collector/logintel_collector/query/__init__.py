"""Queries: Elasticsearch Query DSL and Lucene query strings, compiled to predicates over documents."""

from logintel_collector.query.compile import Query, compile_dsl, compile_text
from logintel_collector.query.error import QueryError
from logintel_collector.query.mapping import Mapping, mapping_from, product_mapping
from logintel_collector.query.narrow import Required, required
from logintel_collector.query.product import PRODUCT_MAPPING
from logintel_collector.query.reading import Predicate

__all__ = [
    "PRODUCT_MAPPING",
    "Mapping",
    "Predicate",
    "Query",
    "QueryError",
    "Required",
    "compile_dsl",
    "compile_text",
    "mapping_from",
    "product_mapping",
    "required",
]
