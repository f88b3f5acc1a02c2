"""Import data from another program: upload, match the columns, preview, and import.

Doors: `imports` does it, `import_files` stores uploads between the steps, and `import_columns`, `import_rows`, and
`import_tables` have what the pages show.
"""
