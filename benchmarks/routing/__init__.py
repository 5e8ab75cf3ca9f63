"""Routing benchmark: worlds of providers in virtual time, the product's router, an oracle and usual routers in them."""
