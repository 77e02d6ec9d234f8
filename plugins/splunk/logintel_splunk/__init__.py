"""The Splunk source: takes what clients of the HTTP Event Collector send."""
