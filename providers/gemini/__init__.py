"""The Gemini API: Google's models by API key."""
