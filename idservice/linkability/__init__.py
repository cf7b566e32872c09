"""The linkability game: does anything in the messages tie a showing to another, or to its card?"""
