"""Other people's recognisers, each in an environment and a process of its own.

``catalogue`` says what they are, ``environments`` installs them, ``worker`` starts and asks them;
``serving`` is the other end, inside their process, and ``of_*`` and ``in_node.cjs`` call them.
"""
