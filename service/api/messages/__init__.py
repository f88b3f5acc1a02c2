"""States of messages as JSON, without their texts."""
