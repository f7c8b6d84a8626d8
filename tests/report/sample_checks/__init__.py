"""A few checks with pages, so that renderings do not change when the real ones do."""
