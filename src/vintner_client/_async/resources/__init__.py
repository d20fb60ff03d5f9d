"""What the client's attributes are: one module a resource."""
