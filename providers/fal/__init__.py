"""fal: models behind a job queue (submit, ask, fetch); see https://fal.ai/docs/api-reference/inference-api."""
