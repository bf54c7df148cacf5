"""The key ring and the sealed file."""
