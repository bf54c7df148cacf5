"""Reports about a group: its status, its months, the city's visits, its letters."""
