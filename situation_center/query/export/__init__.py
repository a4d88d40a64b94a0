"""Windows of readings as files, piece by piece in constant memory: CSV, XLSX, Parquet (decision 0048)."""
