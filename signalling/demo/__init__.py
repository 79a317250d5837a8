"""The demonstration: a synthetic operating theatre that publishes like any other participant."""
