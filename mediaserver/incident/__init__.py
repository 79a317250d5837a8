"""What happened in a room in a span of time, as one report: data, then a page to print."""
