"""What plugin authors import and both ends share."""
