"""The image path under load, beside other gateways and a plain proxy: CPU, memory and delay before a fake upstream."""
