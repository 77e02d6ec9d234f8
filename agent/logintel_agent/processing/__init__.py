"""Processing: what is done to events between decoding and sending. Not loaded where nothing is configured."""
