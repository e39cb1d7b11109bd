"""Step-up challenges: one-time codes and authenticator apps."""
