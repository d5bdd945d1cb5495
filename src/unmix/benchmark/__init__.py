"""Methods against methods: scenes with known truth, one runner, tables and figures of its rows."""
