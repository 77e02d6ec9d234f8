"""Closing the ledger: what agents have sent against what each stage of the collector has done with it."""
