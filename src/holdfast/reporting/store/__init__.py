"""What reporting reads of all features, and the reports that were made on schedule."""
