"""Rules in plain words: which of two answers each favours, and the short list of them that the labels follow."""

from prefaudit.principles.library import Principle, PrincipleCase, builtin, load, named

__all__ = ["Principle", "PrincipleCase", "builtin", "load", "named"]
