"""Replicate: models behind predictions (create, ask, download); see https://replicate.com/docs/reference/http."""
