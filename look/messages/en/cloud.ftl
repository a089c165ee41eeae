# The cloud's pages.
