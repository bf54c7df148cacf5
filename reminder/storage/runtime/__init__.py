"""The runtime state of the service: heartbeats, service state, the activity log."""
