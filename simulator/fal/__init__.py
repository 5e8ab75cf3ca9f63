"""fal: the queue, the direct call and the uploads."""
