"""What a customer reads with a code."""

from __future__ import annotations

from assay.challenges.ports import CodeMessage

SUBJECT = "Your code to confirm a payment"


def text_of(message: CodeMessage) -> str:
    """The message, where there is room."""
    return (
        f"Code: {message.code}\n"
        f"It confirms {message.confirms}, and nothing else. It is good for {message.minutes} min, once.\n"
        "Nobody of your bank will ever ask you for it. If you have not started this payment, call your bank.\n"
    )


def short_text_of(message: CodeMessage) -> str:
    """As a text message: one part of 160 characters, whatever it confirms."""
    return f"{message.code} confirms {message.confirms}. Good for {message.minutes} min, once. Tell it to nobody else."
