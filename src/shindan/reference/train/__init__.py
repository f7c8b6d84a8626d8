"""How the reference systems are trained: typed settings, one loop, exact resumption."""
