"""What conformance found out, as files: a page for people, JSON with a schema for programs, JUnit XML for a CI's table."""
