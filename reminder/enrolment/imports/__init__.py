"""The import of a home's sheet: read, matched with who is registered, shown, and saved."""
