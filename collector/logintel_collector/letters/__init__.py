"""Dead letters at the collector: found, shown, sent once more and dropped."""
