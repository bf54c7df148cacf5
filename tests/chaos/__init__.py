"""Everything goes wrong at once, and every text is accounted for: killed workers, a hostile provider, databases that die."""
