"""Four image vendors pretended over HTTP: real protocols, real pictures, no real money."""
