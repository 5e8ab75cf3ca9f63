"""The OpenAPI document: the whole surface of the gateway, described for programs."""
