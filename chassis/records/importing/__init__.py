"""Import of files: bytes become rows, rows become documents, documents become records."""
