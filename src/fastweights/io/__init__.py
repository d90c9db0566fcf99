"""Files: the one atomic writer, the JSON that is written, the one rule for cache folders."""
