"""All commands, under their names."""

import typer

from commands import footage, keeping, keys, rows

app = typer.Typer(
    help="Satisface: how did our customers look today, and is it getting better?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    footage.analyse,
    footage.ingest,
    footage.watch,
    footage.worker,
    rows.export,
    rows.report,
    rows.demo,
    rows.delete,
    keeping.backup,
    keeping.restore,
):
    app.command()(command)

db_app = typer.Typer(help="The database.", no_args_is_help=True)
db_app.command("upgrade")(keeping.db_upgrade)
db_app.command("copy")(keeping.db_copy)
db_app.command("rebuild-buckets")(keeping.db_rebuild_buckets)
app.add_typer(db_app, name="db")

keys_app = typer.Typer(help="Keys of programs to the HTTP API.", no_args_is_help=True)
keys_app.command("create")(keys.create)
keys_app.command("list")(keys.list_)
keys_app.command("revoke")(keys.revoke)
app.add_typer(keys_app, name="keys")
