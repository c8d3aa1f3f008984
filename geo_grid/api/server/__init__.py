"""What every route stands on: requests, rights, problems, limits."""
