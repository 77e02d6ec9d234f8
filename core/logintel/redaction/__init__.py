"""Redaction: finds secrets and personal data in events and puts receipts in their place; the same at both ends."""
