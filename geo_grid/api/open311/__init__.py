"""GeoReport v2 (Open311): a standard door for residents' matters."""
