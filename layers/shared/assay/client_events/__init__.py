"""What clients are told of their transactions after the verdict."""
