"""The data module: tables, keys, cursors, transactions, repositories."""
