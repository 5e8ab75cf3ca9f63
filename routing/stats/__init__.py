"""Statistics: outcomes become figures. Pure but for ``redis_store``, the only place that knows Redis."""
