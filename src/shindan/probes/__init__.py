"""What turns a live run into evidence."""
