"""Commands of ``python -m fedlib`` that take more than a few lines, one file each."""
