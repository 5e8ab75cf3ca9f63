"""fal: models behind a job queue (submit, ask, fetch), as documented at https://docs.fal.ai/model-apis/model-endpoints/queue."""
