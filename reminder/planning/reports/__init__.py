"""What is shown of a group: its status, its months, the visits of the city, its letters."""
