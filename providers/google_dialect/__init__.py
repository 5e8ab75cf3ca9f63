"""generateContent as spoken by both the Gemini API and Vertex AI: the body, the reply, and what their failures mean."""
