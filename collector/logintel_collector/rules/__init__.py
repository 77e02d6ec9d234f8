"""Rules: which documents matter, and when they make an alert."""
