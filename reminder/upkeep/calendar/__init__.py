"""Calendar feeds: their secret addresses and the iCalendar file."""
