"""What `make check` holds besides style, types and layers."""
