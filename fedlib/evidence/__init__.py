"""Evidence: from stored records to what a reader sees."""
