"""Files: the one atomic writer, plain files alone, the JSON that is written, the one rule for cache folders."""
