"""What vendors with jobs have in common: asking, reading replies and links, and downloading what is paid for."""
