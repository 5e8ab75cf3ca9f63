"""Where the URLs of kept images lead. No key is asked for: the signature in the URL is the permission."""
