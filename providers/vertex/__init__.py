"""Vertex AI: Google's models by Google Cloud project, or by express-mode API key."""
