"""BBS signatures: a holder shows some of the signed messages, and no two showings can be joined."""
