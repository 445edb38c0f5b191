"""Benchmarks against byzfl, and the program that summarises them for the book."""
