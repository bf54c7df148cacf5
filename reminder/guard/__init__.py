"""The guard against numbers that must not be stored: card numbers and passcodes, in any digits and disguise."""
