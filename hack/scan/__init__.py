"""A scan of the product's images for known vulnerabilities, with what Debian's archive and PyPI say themselves."""
