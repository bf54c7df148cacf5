"""The worker process: one pass over everything that is due, and its scheduler."""
