"""`ao-record`: runs the user's program as python would, and records its LLM calls.

Lives in other people's programs: standard library only, nothing imported that the program has not
imported, record less rather than break or slow anything.
"""
