"""The plans of the client's operations, one file a resource."""
