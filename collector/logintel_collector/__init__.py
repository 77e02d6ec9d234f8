"""The collector: processes, indexes, records, alerts."""
