"""Image bytes: what they are, how large the picture is, and whether they are the image that was asked for."""
