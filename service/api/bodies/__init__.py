"""What is sent and shown, a module a resource; names of fields are names of columns."""
