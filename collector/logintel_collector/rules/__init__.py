"""Alert rules: files of rules, and what decides whether matching events make an alert."""
