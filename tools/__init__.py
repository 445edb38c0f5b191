"""Programs that build and check the book; the library does not need them."""
