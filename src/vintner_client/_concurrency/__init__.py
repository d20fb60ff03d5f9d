"""What differs between asyncio and threads, in pairs of one shape.

The generator of the sync client replaces names that begin with `Async` or `async_`, this package's
modules too, by their twins. So a program that uses threads alone does not load asyncio.
"""
