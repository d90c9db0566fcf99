"""The version of the library, where every room may ask for it."""

VERSION = "0.2.0"
