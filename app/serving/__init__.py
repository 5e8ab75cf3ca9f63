"""Serving: the process that holds the socket, from the bytes on it to the application, and its orderly end."""
