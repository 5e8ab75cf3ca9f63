"""The OpenAI Images door: requests in that dialect in, answers and errors in that dialect out."""
