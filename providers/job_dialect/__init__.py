"""What vendors with jobs have in common: uploading input images, asking, reading replies and links, and downloading."""
