# packages: instructor==1.17.0
# small:
# edges: trip>spend spend>praise partial>walk atrip>alast
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: spend
import asyncio

import instructor
from openai import AsyncOpenAI, BadRequestError, OpenAI
from pydantic import BaseModel

MODEL = "gpt-5.4"


class Place(BaseModel):
    city: str
    nights: int


def user(text):
    return [{"role": "user", "content": text}]


def main():
    plain = OpenAI()
    create = instructor.from_openai(OpenAI()).chat.completions.create
    place = create(model=MODEL, response_model=Place, messages=user("A trip of 3 days"))  #: trip
    print("trip", place)
    text = plain.chat.completions.create(model=MODEL, messages=user(f"Spend {place.nights} nights"))  #: spend
    text = text.choices[0].message.content
    print("spend", text)
    print(plain.chat.completions.create(model=MODEL, messages=user("Praise: " + text)).choices[0].message)  #: praise

    parts = instructor.from_openai(OpenAI()).chat.completions.create_partial(  #: partial
        model=MODEL, response_model=Place, messages=user("A week in Madrid")
    )
    for place in parts:
        last = place
    print("partial", last)
    walked = plain.chat.completions.create(model=MODEL, messages=user("Walk through " + last.city))  #: walk
    print("walk", walked.choices[0].message.content)
    try:
        plain.chat.completions.create(model="fail-400", messages=user("Fail"))  #: fail
    except BadRequestError as error:
        print("failed", error.status_code)


async def amain():
    async with AsyncOpenAI() as openai:
        client = instructor.from_openai(openai)
        place = await client.chat.completions.create(  #: atrip
            model=MODEL, response_model=Place, messages=user("A trip of 5 days")
        )
        last = await openai.chat.completions.create(model=MODEL, messages=user(f"Repeat: {place.city}"))  #: alast
        print("async", place, last.choices[0].message.content)
        create = openai.chat.completions.create
        same = await asyncio.gather(
            *[create(model=MODEL, messages=user("Name a colour")) for _ in range(3)]  #: same1 same2 same3
        )
        for each in same:
            print("same", each.choices[0].message.content)


main()
asyncio.run(amain())
