"""Names under which clients send input images and masks, and the keys an entry of one may have its image under."""

from __future__ import annotations

IMAGE_NAMES = (
    "image", "images", "image_url", "imageUrl", "image_urls", "imageUrls", "input_image", "input_images",
    "input_references", "inputReferences", "reference_images", "referenceImages",
)  # fmt: skip
MASK_NAMES = ("mask", "mask_url", "maskUrl")
MARKUP = "markup"
ENTRY_KEYS = ("image_url", "imageUrl", "url", "file_id", "b64_json", "data")
"""``type`` may stand beside them, as in ``{"type": "image_url", ...}``."""
