"""What an editor's user can have done: `commands` has the table, `choosing` asks which of several is meant, `editing`
keeps edit files, `contents` shows texts to read, `reruns` and `progress` show what goes on.
"""
