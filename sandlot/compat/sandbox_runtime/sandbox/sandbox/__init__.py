"""Where handlers run: the configuration, one sandbox, a pool of them."""
