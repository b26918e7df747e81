"""The gateway's records: tables, engine, migrations."""
