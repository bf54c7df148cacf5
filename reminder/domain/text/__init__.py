"""Everything that people read: the catalog of each language, and the texts that are made from it."""
