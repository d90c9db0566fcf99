"""The documentation site: addresses of pages, generated pages, docstrings; `extension` hands them to Sphinx."""
