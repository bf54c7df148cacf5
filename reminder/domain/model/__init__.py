"""What the rules speak of: values that are the same everywhere."""
