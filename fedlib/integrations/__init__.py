"""What connects the library to other frameworks. Each part needs an extra of its own."""
