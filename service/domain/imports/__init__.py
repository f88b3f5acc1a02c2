"""Data from another program: upload, match the columns, preview, import.

Doors: `imports` does it, `import_files` keeps uploads between the steps, `import_columns`, `import_rows` and
`import_tables` supply what the pages show.
"""
