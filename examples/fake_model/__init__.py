"""A language model that knows nothing: it reads a prompt with patterns and writes from word lists.

Every figure it names is made up from a hash of the prompt. What it keeps of a real model is what
tests and demonstrations need: the same request always gets the same answer, and words that come
in at the prompt come out in the answer, so that a change upstream can be seen downstream.

    prompt.py          what a prompt asks for: task, topic, material
    writer.py          an answer to each kind of task
    tools.py           which offered tool to call, and values that satisfy a JSON schema
    model.py           the whole: `answer(ask) -> reply`, tokens, stop sequences
    openai_api.py      chat completions, embeddings, models: requests in, bodies and events out
    openai_responses.py, anthropic_api.py, gemini_api.py, ollama_api.py, bedrock_api.py   the same for the other APIs
    service.py         which path goes where, errors, and the failures that can be asked for
"""
