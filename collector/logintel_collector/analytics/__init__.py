"""Analytics: counts, bytes, errors and latency of events by minute and hour, right also when events come late."""
