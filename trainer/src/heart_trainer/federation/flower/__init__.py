"""The edge to Flower 1.42: nothing outside of this package imports it, and only the federation's image has it."""
