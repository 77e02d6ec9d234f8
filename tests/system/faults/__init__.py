"""The fault bench: numbered lines, faults drawn from a seed, and a comparison of what was written with what arrived."""
