"""`make bench`."""

from tests.bench.serving import main

main()
