"""What the project refuses to hold: card numbers and passcodes, in whatever digits and disguise."""
