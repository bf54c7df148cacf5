"""What the running service keeps of itself: heartbeats, its state, the activity log."""
