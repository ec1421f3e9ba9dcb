"""The same work from a terminal. Each command imports what it needs when it runs."""

if __name__ == "__main__":
    # Here, since each process that a command starts loads this file again, for nothing.
    from commands.app import app

    app()
