"""The notifier: tells people about alerts, at least once, over channels that do not wait for each other."""
