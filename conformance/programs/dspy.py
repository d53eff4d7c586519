# packages: dspy==3.4.1
# follow: dspy:litellm
# edges: plan>search plan>write search>write write>shorten plan>streamed
# concurrent: same1 same2 same3
# equal: same1 same2 same3
# edit: shorten
# note: through litellm, which dspy takes where `OPENAI_BASE_URL` is set, as under `--gateway`
# note: its own engine, its default elsewhere, has sockets of its own and needs `--gateway`
import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the internet for prices

import dspy  # it reads that when it is imported
from dspy.utils.exceptions import LMInvalidRequestError

model = dspy.LM("openai/gpt-5.4", api_base=os.environ["OPENAI_BASE_URL"], api_key="x", cache=False)
dspy.configure(lm=model, adapter=dspy.JSONAdapter())
answer = dspy.Predict("question -> answer")

plan = answer(question="Plan: lighthouses of Portugal").answer  #: plan
found = answer(question="Search: " + plan).answer  #: search
text = answer(question=f"Write: {plan} {found}").answer  #: write
print(model("Shorten: " + text))  #: shorten
answer(question="Nothing of that.")  #: nothing
listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
streaming = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener], async_streaming=False)
for piece in streaming(question="Rate: " + plan):  #: streamed
    last = piece
print("streamed", last.answer)


async def main():
    for each in await asyncio.gather(*[model.acall("Name a colour") for _ in range(3)]):  #: same1 same2 same3
        print("same", each[0])


asyncio.run(main())
try:
    dspy.LM("openai/fail-400", api_base=os.environ["OPENAI_BASE_URL"], api_key="x", cache=False)("Fail")  #: fail
except LMInvalidRequestError as error:
    print("failed", error)
print(len(plan) > 0, len(text) > 0)
