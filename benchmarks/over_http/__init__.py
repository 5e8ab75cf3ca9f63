"""The routing brain over HTTP: a running gateway before the vendor simulator in scripted trouble, seen from outside."""
