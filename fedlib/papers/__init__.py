"""The papers that the book reproduces: one package each, named by its slug."""
