"""Minutes on roads, coverage now, patrols."""
