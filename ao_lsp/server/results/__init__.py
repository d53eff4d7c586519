"""What commands, requests and notifications give: the types of JSON objects, with a word on each field.

From these the documentation, the JSON Schema and the types of clients are made (contract/). Fields are only ever added.
A class `RunJson` is called `Run` there. `None` means: not known, or there is none; a field that may be missing is
declared in a class with `total=False`. Lines count from 1, columns from 0 in code points, times are ISO 8601 in UTC.
"""
