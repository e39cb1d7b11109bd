"""The audit log's commands: verify, show, replay-decision."""
