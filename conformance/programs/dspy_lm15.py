# packages: dspy==3.4.1
# options: --gateway
# gateway: plan search write shorten nothing streamed same1 same2 same3 fail
# matched: plan>search plan>write search>write plan>streamed
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: shorten
# note: dspy's own engine has sockets of its own: recorded with `--gateway`, without places, arrows by text
# note: of a short answer there is too little text for an arrow (`write` to `shorten`)
import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the internet for prices

import dspy  # it reads that when it is imported
from dspy.utils.exceptions import LMInvalidRequestError

base = os.environ["OPENAI_BASE_URL"]
model = dspy.LM("openai/gpt-5.4", engine="lm15", api_base=base, api_key="x", cache=False)
dspy.configure(lm=model, adapter=dspy.JSONAdapter())
answer = dspy.Predict("question -> answer")

plan = answer(question="Plan: lighthouses of Portugal").answer
found = answer(question="Search: " + plan).answer
text = answer(question=f"Write: {plan} {found}").answer
print(model("Shorten: " + text))
answer(question="Nothing of that.")
listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
streaming = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener], async_streaming=False)
for piece in streaming(question="Rate: " + plan):
    last = piece
print("streamed", last.answer)


async def main():
    for each in await asyncio.gather(*[model.acall("Name a colour") for _ in range(3)]):
        print("same", each[0])


asyncio.run(main())
try:
    dspy.LM("openai/fail-400", engine="lm15", api_base=base, api_key="x", cache=False)("Fail")
except LMInvalidRequestError as error:
    print("failed", error)
print(len(plan) > 0, len(text) > 0)
