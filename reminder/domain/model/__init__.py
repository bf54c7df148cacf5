"""Value types that every rule uses."""
