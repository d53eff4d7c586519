# packages: google-genai==3.6.1
# small:
# edges: plan>search search>review review>rate weather1>weather2 weather1>pack trip>spend chat2>embed
# edges: aplan>astream astream>alast
# matched: chat1>chat2
# concurrent: aplan aother
# equal: same1 same2 same3
# edit: plan review aplan astream
# note: what a `Chat` keeps of earlier replies is matched by text
# note: the SDK makes a streamed call where its first piece is asked for: there it stands
import asyncio

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

MODEL = "gemini-3-flash"
noted = []


class Place(BaseModel):
    city: str
    nights: int


def weather(city: str) -> str:
    """The weather of a city."""
    noted.append(city)
    return "Sunny in " + city


def main():
    client = genai.Client()
    models = client.models
    plan = models.generate_content(model=MODEL, contents="Plan a report on lighthouses").text  #: plan
    print("plan", plan)
    found = models.generate_content(model=MODEL, contents=f"Search: {plan}").text  #: search
    stream = models.generate_content_stream(model=MODEL, contents="Review this: " + found)
    review = "".join(chunk.text or "" for chunk in stream)  #: review
    print("review", review)
    thinking = types.ThinkingConfig(include_thoughts=True)
    config = types.GenerateContentConfig(system_instruction="You rate.", temperature=0, thinking_config=thinking)
    print("rate", models.generate_content(model=MODEL, contents="Rate: " + review, config=config).text)  #: rate

    config = types.GenerateContentConfig(tools=[weather])
    told = client.chats.create(model=MODEL, config=config).send_message("The weather in Lisbon?")  #: weather1 weather2
    packed = models.generate_content(model=MODEL, contents="Pack a bag for " + noted[0])  #: pack
    print("weather", told.text, packed.text)
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Place)
    place = models.generate_content(model=MODEL, contents="A trip of 3 days.", config=config).parsed  #: trip
    print("trip", models.generate_content(model=MODEL, contents=f"Spend {place.nights} nights.").text)  #: spend

    chat = client.chats.create(model=MODEL)
    chat.send_message("Describe a tram")  #: chat1
    short = chat.send_message("Shorten that")  #: chat2
    vector = models.embed_content(model="gemini-embedding-001", contents=short.text).embeddings[0].values  #: embed
    print("embedding", len(vector), round(vector[0], 6))

    try:
        models.generate_content(model="fail-400", contents="Fail")  #: fail
    except errors.ClientError as error:
        print("failed", error.code, error.message)


async def amain():
    models = genai.Client().aio.models
    plan, other = await asyncio.gather(
        models.generate_content(model=MODEL, contents="Plan a trip to Porto"),  #: aplan
        models.generate_content(model=MODEL, contents="Name three rivers"),  #: aother
    )
    print("async", plan.text, other.text)
    same = await asyncio.gather(
        *[models.generate_content(model=MODEL, contents="Name a colour") for _ in range(3)]  #: same1 same2 same3
    )
    for each in same:
        print("same", each.text)
    stream = await models.generate_content_stream(model=MODEL, contents="Praise: " + plan.text)
    praise = "".join([chunk.text or "" async for chunk in stream])  #: astream
    last = await models.generate_content(model=MODEL, contents="Repeat: " + praise)  #: alast
    print("last", praise, last.text)


main()
asyncio.run(amain())
