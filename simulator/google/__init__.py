"""The Gemini API and Vertex AI, which share generateContent."""
