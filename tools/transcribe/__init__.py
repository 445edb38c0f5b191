"""The programs that transcribe published numbers from the papers' texts, to proof-read them."""
