"""Routes for reached areas, coverage, live positions, siting and patrols."""
