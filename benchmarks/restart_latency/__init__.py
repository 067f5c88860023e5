"""How soon a killed child has a successor."""
